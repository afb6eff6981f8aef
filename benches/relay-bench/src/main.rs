//! Parse, measure, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    relay_bench::main()
}
