// An age that is not the crate: the package of its author, below `node_modules` of the directory that the first argument
// names. What is asked of it follows as JSON.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, asked] = process.argv.slice(2);
const age = await import(pathToFileURL(`${modules}/node_modules/age-encryption/dist/index.js`));
const { key, recipient, passphrase, from, to, armored } = JSON.parse(asked);
const bytes = (path) => new Uint8Array(readFileSync(path));
const opened = (path) => (armored ? age.armor.decode(readFileSync(path, "utf8")) : bytes(path));

if (!from) {
  const identity = await age.generateIdentity();
  console.log(identity, await age.identityToRecipient(identity));
} else if (recipient || (passphrase && !key && !armored && to.endsWith(".age"))) {
  const encrypter = new age.Encrypter();
  if (recipient) {
    encrypter.addRecipient(recipient);
  } else {
    encrypter.setScryptWorkFactor(10);
    encrypter.setPassphrase(passphrase);
  }
  writeFileSync(to, await encrypter.encrypt(bytes(from)));
} else {
  const decrypter = new age.Decrypter();
  if (key) {
    decrypter.addIdentity(key);
  } else {
    decrypter.addPassphrase(passphrase);
  }
  writeFileSync(to, await decrypter.decrypt(opened(from)));
}
