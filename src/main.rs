//! The `mln-image` program: maps the command line's result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    mln_image::cli::main(std::env::args_os())
}
