#![no_main]

use libfuzzer_sys::fuzz_target;
use netsplit::live::control::Request;
use netsplit::live::wire::{HELLO_MAX, Reader};

// A stream of frames ends in an error, whatever is in it.
fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing");
    runtime.block_on(async {
        let mut reader = Reader::with_limit(bytes, HELLO_MAX);
        while reader.next::<Request>().await.is_ok() {}
    });
});
