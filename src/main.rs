use std::process::ExitCode;

fn main() -> ExitCode {
    moongram::cli::main()
}
