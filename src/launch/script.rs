//! What the start and stop scripts of every platform share.

use crate::project::Terminal;

use super::LaunchFile;
use super::quote::{shell, shell_command};
use super::spec::DomainSpec;

/// A script called `name`: its purpose in words, then `body`, run in the directory that the script lies in.
pub(super) fn script(name: &'static str, spec: &DomainSpec, purpose: &str, body: &str) -> LaunchFile {
    let platform = spec.platform.name();
    let content = format!(
        "#!/bin/sh\n\
         # {purpose} `{}` on {platform}. Written by mln-image.\n\
         set -eu\n\
         unset CDPATH\n\
         cd -- \"$(dirname -- \"$0\")\"\n\
         {body}",
        spec.name()
    );
    LaunchFile {
        name,
        mode: 0o755,
        content,
    }
}

/// The shell text that finds the runtime directory of the project, and makes it if need be: `$run`.
pub(super) fn find_runtime(spec: &DomainSpec) -> String {
    format!(
        "if [ \"$(id -u)\" = 0 ]; then run=/run/mln; else run=/tmp/mln-$(id -u); fi\n\
         run=${{MLN_RUNTIME_DIR:-$run}}\n\
         (umask 077 && mkdir -p \"$run\")\n\
         [ -O \"$run\" ] || {{\n    \
             echo \"$run belongs to somebody else\" >&2\n    \
             exit 1\n\
         }}\n\
         run=$run/{}\n",
        shell(&spec.runtime)
    )
}

/// The stop script: `orderly` asks the guest to shut down; with `--hard`, `hard` ends it at once. `preparation` comes
/// before both.
pub(super) fn stop(spec: &DomainSpec, preparation: &str, orderly: &str, hard: &str) -> LaunchFile {
    let body = format!(
        "\n\
         {preparation}case \"${{1-}}\" in\n\
         '') {orderly} ;;\n\
         --hard) {hard} ;;\n\
         *)\n    \
             echo \"usage: $0 [--hard]\" >&2\n    \
             exit 2\n    \
             ;;\n\
         esac\n"
    );
    script("stop", spec, "Stops the machine", &body)
}

/// The shell text that runs `command`, whose standard input and output are the console, in the machine's terminal.
pub(super) fn in_terminal(spec: &DomainSpec, command: &[String]) -> String {
    let name = spec.name();
    let words = |prefix: &[&str]| {
        let prefix = prefix.iter().map(|word| (*word).to_owned());
        shell_command(&prefix.chain(command.iter().cloned()).collect::<Vec<_>>())
    };
    match spec.terminal {
        Terminal::Screen => format!("{}\n", words(&["screen", "-dmS", &name])),
        // tmux has its own use for a dot in the name of a session.
        Terminal::Tmux => {
            let session = name.replace(['.', ':'], "_");
            format!("{}\n", words(&["tmux", "new-session", "-d", "-s", &session]))
        }
        Terminal::Xterm => format!("{} &\n", words(&["xterm", "-T", &name, "-e"])),
        Terminal::Log => format!("{} </dev/null >console.log 2>&1 &\n", words(&["nohup"])),
        Terminal::Pty | Terminal::None => format!("{} </dev/null >/dev/null 2>&1 &\n", words(&["nohup"])),
    }
}

/// The shell text that ends the script with `message` unless the shell test `condition` holds.
pub(super) fn require(condition: &str, message: &str) -> String {
    format!(
        "{condition} || {{\n    echo {} >&2\n    exit 1\n}}\n",
        shell(message)
    )
}
