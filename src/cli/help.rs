//! What every command's long help ends with: examples, the exit codes it can end with, the variables it heeds.
//!
//! A page is one text, so that nothing is put together before somebody asks for it. `man` reads its sections: a heading
//! at the margin, terms two columns in, what they are six columns in or behind two blanks.

pub mod accounts;
pub mod profiles;
pub mod program;
pub mod remotes;
pub mod snapshots;

/// The variables that every command heeds.
macro_rules! usual {
    () => {
        "  CODEX_MANAGER_HOME, CODEX_HOME, CODEX_MANAGER_NOW, TZ, NO_COLOR\n      \
         as for every command: codex-manager --help tells all of them\n"
    };
}

/// The text of a page: commands and what they do, exit codes in four columns and what they mean here, variables.
macro_rules! page {
    (
        $($command:literal => $does:literal,)+
        ;
        $($code:literal,)+
        ;
        $($variable:literal => $what:literal,)*
    ) => {
        concat!(
            "Examples:\n",
            $("  ", $command, "\n      ", $does, "\n",)+
            "\nExit codes:\n",
            $("  ", $code, "\n",)+
            "\nEnvironment:\n",
            $("  ", $variable, "\n      ", $what, "\n",)*
            $crate::cli::help::usual!(),
        )
    };
}

pub(in crate::cli) use {page, usual};
