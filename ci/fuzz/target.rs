//! A fuzz target: any bytes, for the check that has this target's name.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    inference_relay::property::check(env!("CARGO_BIN_NAME"), bytes);
});
