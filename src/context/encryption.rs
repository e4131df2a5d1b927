//! The keys to what leaves the machine: where the identity file is, who tells its passphrase, to whom is encrypted.

use std::path::{Path, PathBuf};

use super::{Ctx, absolute, variable};
use crate::encryption::passphrase::{self, Purpose, Sources};
use crate::encryption::{Identities, IdentityFile, Recipients, SecretString};
use crate::error::{Error, Kind, Result};

impl Ctx {
    /// The identity file.
    pub fn identity_path(&self) -> PathBuf {
        self.configured_path("sync.identity")
            .unwrap_or_else(|| self.paths.manager_home.join("identity.txt"))
    }

    /// A passphrase, from the environment's file, the settings' file or command, or from who sits at the terminal.
    pub fn passphrase(&self, purpose: Purpose) -> Result<SecretString> {
        let file_of_environment = variable("CODEX_MANAGER_PASSPHRASE_FILE")
            .map(|path| absolute(Path::new(&path)))
            .transpose()?;
        let file = self.configured_path("sync.passphrase_file");
        let stop = self.stop();
        let prompt = |text: &str| passphrase::ask(text, &stop);
        // A signal must not leave a terminal that shows nothing, nor a command.
        let _in_hand = self.in_hand();
        let sources = Sources {
            file_of_environment: file_of_environment.as_deref(),
            file: file.as_deref(),
            command: self.settings.text("sync.passphrase_command"),
            prompt: self.ui.interactive.then_some(&prompt),
            is_stopped: &stop,
        };
        sources.passphrase(purpose)
    }

    /// What opens what is on the remote. Asks for a passphrase where the identity file has one. Fails as `Undecryptable`
    /// where there is no identity file.
    pub fn identities(&self) -> Result<Identities> {
        let file = self.identity_file()?;
        let name = self.paths.short(file.path());
        file.unlock(&|| self.passphrase(Purpose::Open(&name)))
    }

    /// To whom what goes to the remote is encrypted: who holds the identity file, and whom the settings add. Asks nobody.
    pub fn recipients(&self) -> Result<Recipients> {
        let mut texts = self.identity_file()?.recipients()?.to_vec();
        texts.extend(self.settings.list("sync.recipients").unwrap_or_default());
        Recipients::parse(&texts)
    }

    /// The command that makes a key, and sets the remote where none is set.
    pub fn sync_init(&self) -> &'static str {
        match self.settings.text("sync.remote") {
            Some(_) => "codex-manager sync init",
            None => "codex-manager sync init --remote ADDRESS",
        }
    }

    fn identity_file(&self) -> Result<IdentityFile> {
        let path = self.identity_path();
        IdentityFile::read(&path)?.ok_or_else(|| {
            let path = self.paths.short(&path);
            let message = format!("there is no key to the remote: `{path}` does not exist");
            let init = self.sync_init();
            let hint = format!(
                "make one with `{init}`, or copy the identity file of the first machine to `{path}`"
            );
            Error::new(Kind::Undecryptable, message, hint)
        })
    }
}
