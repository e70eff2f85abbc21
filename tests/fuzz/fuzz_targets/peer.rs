#![no_main]

use libfuzzer_sys::fuzz_target;
use netsplit::live::wire::{Frame, Peer};

fuzz_target!(|bytes: &[u8]| {
    match Peer::decode(bytes) {
        Ok(value) => drop(format!("{value:?}")),
        Err(error) => drop(error.to_string()),
    }
});
