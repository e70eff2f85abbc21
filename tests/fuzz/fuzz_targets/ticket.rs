#![no_main]

use libfuzzer_sys::fuzz_target;
use netsplit::live::identity::Ticket;

fuzz_target!(|text: &str| {
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }
});
