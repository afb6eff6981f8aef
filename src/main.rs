//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    inference_relay::main()
}
