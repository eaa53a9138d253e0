#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| moongram_fuzz::targets::check("text", input));
