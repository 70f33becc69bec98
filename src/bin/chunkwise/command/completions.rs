//! `chunkwise completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::{cli::Cli, output};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chunkwise completions bash > ~/.local/share/bash-completion/completions/chunkwise
  chunkwise completions zsh  > \"${fpath[1]}/_chunkwise\"
  chunkwise completions fish > ~/.config/fish/completions/chunkwise.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "chunkwise", &mut script);
    output::print(&script)
}
