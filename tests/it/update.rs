//! The update: from a source of the test's own, with genuine, changed, cut and wrongly signed files.

use super::support::client;
use super::support::hex::to_hex;
use super::support::host;
use super::support::host::Host;
use super::support::host::Proxy;
use super::support::manager::Manager;
use super::support::relay::World;
use super::support::relay::free_port;
use flate2::Compression;
use flate2::write::GzEncoder;
use minisign::KeyPair;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::fs;
use std::io::Cursor;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

const ECHO: &str = "[[rule]]\nany = true\n[[rule.step]]\necho = true\n";

/// A user whose relay lies in a folder of its own, and a source that this user trusts.
struct Shop {
    user: Manager,
    keys: KeyPair,
    address: SocketAddr,
}

impl Shop {
    fn new() -> Shop {
        let keys = KeyPair::generate_unencrypted_keypair().expect("a key must be made");
        let world = World::scripted(ECHO).pool("idle = 0");
        let port = free_port();
        world.settle(port);
        for folder in ["source", "programs"] {
            fs::create_dir(world.path(folder)).expect("a folder must be made");
        }
        // A process of its own copies it: a file that this one has had open for writing may not start in a child of
        // another test.
        let copied = Command::new("cp")
            .arg(env!("CARGO_BIN_EXE_inference-relay"))
            .arg(world.path("programs/inference-relay"))
            .status();
        assert!(
            copied.is_ok_and(|status| status.success()),
            "a program must be copied"
        );
        let shop = Shop {
            user: Manager::new(world),
            keys,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
        };
        shop.configure(&format!("file://{}", shop.path("source").display()));
        shop
    }

    fn configure(&self, source: &str) {
        let file = self.path("state/relay.toml");
        let text = fs::read_to_string(&file).expect("the configuration is there");
        let text = text.split("[update]").next().unwrap_or_default();
        let key = self.keys.pk.to_base64();
        let update = format!(
            "{text}[update]\nsource = {}\npublic_keys = [\"{key}\"]\n",
            Value::from(source)
        );
        fs::write(file, update).expect("the configuration must be written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.user.world.path(name)
    }

    fn program(&self) -> PathBuf {
        self.path("programs/inference-relay")
    }

    /// Runs the relay that is installed there.
    fn run(&self, args: &[&str]) -> Output {
        self.run_with(&[], args)
    }

    fn run_with(&self, env: &[(&str, &str)], args: &[&str]) -> Output {
        let model = self.user.relay(args);
        let mut command = Command::new(self.program());
        command.env_clear().args(args);
        for (name, value) in model.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.envs(env.iter().copied());
        command.output().expect("the relay must run")
    }

    /// What a web server with this source answers.
    fn shelf(&self) -> impl Fn(&str) -> Vec<u8> + Send + Sync + use<> {
        let folder = self.path("source");
        move |path| match fs::read(folder.join(path.trim_start_matches("/files/"))) {
            Ok(bytes) => host::file(&bytes),
            Err(_) => host::missing(),
        }
    }

    /// Puts a release into the source: a program that says this version, and then does this.
    fn offer(&self, version: &str, serve: &str) {
        let program = format!(
            "#!/bin/sh\ncase $1 in --version) echo inference-relay {version}; exit 0;; esac\n{serve}\n"
        );
        let archive = packed(program.as_bytes());
        let digest = to_hex(&Sha256::digest(&archive));
        let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        let manifest = json!({"product": "inference-relay", "version": version, "archives": [
            {"platform": platform, "file": ARCHIVE, "size": archive.len(), "sha256": digest},
        ]});
        self.put(ARCHIVE, &archive, &self.keys);
        self.put("manifest.json", manifest.to_string().as_bytes(), &self.keys);
    }

    fn put(&self, name: &str, bytes: &[u8], keys: &KeyPair) {
        let signature = minisign::sign(Some(&keys.pk), &keys.sk, Cursor::new(bytes), None, None)
            .expect("a file must be signed")
            .into_string();
        fs::write(self.source(name), bytes).expect("a file must be offered");
        fs::write(self.source(&format!("{name}.minisig")), signature)
            .expect("a signature must be offered");
    }

    fn source(&self, name: &str) -> PathBuf {
        self.path(&format!("source/{name}"))
    }

    /// The update fails with these words, and nothing is changed.
    fn refuses(&self, words: &str) {
        let before = fs::read(self.program()).expect("the program is there");
        let output = self.run(&["update"]);
        let told = said(&output);
        assert_ne!(output.status.code(), Some(0), "{told}");
        assert!(told.contains(words), "{words}: {told}");
        assert!(
            fs::read(self.program()).is_ok_and(|now| now == before),
            "{words}"
        );
        for left in ["next", "previous"] {
            let path = self.path(&format!("programs/inference-relay.{left}"));
            assert!(!path.exists(), "{words}: {}", path.display());
        }
    }

    fn version(&self) -> String {
        said(&self.run(&["--version"])).trim().to_owned()
    }
}

fn said(output: &Output) -> String {
    let (told, said) = (&output.stdout, &output.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(told),
        String::from_utf8_lossy(said)
    )
}

fn packed(program: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(program.len()).expect("a length is a u64"));
    header.set_mode(0o755);
    header.set_cksum();
    archive
        .append_data(&mut header, "inference-relay-9/inference-relay", program)
        .expect("an archive in memory takes all");
    let encoder = archive.into_inner().expect("an archive must end");
    encoder.finish().expect("a stream must end")
}

/// A program that goes on as the relay of this build.
fn good() -> String {
    format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_inference-relay"))
}

const ARCHIVE: &str = "inference-relay-9.tar.gz";

#[test]
fn a_newer_version_is_put_in_place_and_the_one_before_is_kept() {
    let shop = Shop::new();
    shop.offer("9.0.0", &good());
    let checked = shop.run(&["update", "--check", "--json"]);
    let told: Value = serde_json::from_slice(&checked.stdout).expect("--json prints JSON alone");
    assert_eq!(
        (&told["state"], &told["version"]),
        (&"available".into(), &"9.0.0".into())
    );
    let before = fs::read(shop.program()).expect("the program is there");
    let updated = shop.run(&["update"]);
    assert_eq!(updated.status.code(), Some(0), "{}", said(&updated));
    assert_eq!(shop.version(), "inference-relay 9.0.0");
    let kept = fs::read(shop.path("programs/inference-relay.previous"));
    assert!(kept.is_ok_and(|kept| kept == before));
    let mode = fs::metadata(shop.program())
        .expect("the program is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn a_service_runs_the_new_version_afterwards() {
    let shop = Shop::new();
    let installed = shop.run(&["service", "install"]);
    assert_eq!(installed.status.code(), Some(0), "{}", said(&installed));
    shop.offer("9.0.0", &good());
    let updated = shop.run(&["update"]);
    let told = said(&updated);
    assert!(
        told.contains("updated: 9.0.0: the service runs it"),
        "{told}"
    );
    let answer = client::post(shop.address, &client::call("By the new one."));
    assert_eq!(answer.text(), "By the new one.");
}

#[test]
fn a_version_that_does_not_answer_as_the_service_is_taken_back() {
    let shop = Shop::new();
    let installed = shop.run(&["service", "install"]);
    assert_eq!(installed.status.code(), Some(0), "{}", said(&installed));
    // It answers in its trial, which has a state folder of its own, and not in the user's.
    let sly = format!(
        "case $INFERENCE_RELAY_HOME in */update) {};; esac\nexit 1",
        good()
    );
    shop.offer("9.0.0", &sly);
    let updated = shop.run(&["update"]);
    let told = said(&updated);
    assert_eq!(updated.status.code(), Some(1), "{told}");
    assert!(told.contains("rolled_back"), "{told}");
    assert_eq!(
        shop.version(),
        format!("inference-relay {}", env!("CARGO_PKG_VERSION"))
    );
    let answer = client::post(shop.address, &client::call("By the old one."));
    assert_eq!(answer.text(), "By the old one.");
}

#[test]
fn nothing_that_is_not_genuine_and_newer_is_put_in_place() {
    let shop = Shop::new();
    shop.offer("9.0.0", "exit 1");
    shop.refuses("the new program ended at once");

    shop.offer("0.0.1", &good());
    shop.refuses("is older than this");

    shop.offer("9.0.0", &good());
    let whole = fs::read(shop.source(ARCHIVE)).expect("the archive is there");
    fs::write(shop.source(ARCHIVE), &whole[..whole.len() / 2]).expect("it must be cut");
    shop.refuses("is not signed by a key of update.public_keys");

    shop.put(ARCHIVE, &whole[..whole.len() / 2], &shop.keys);
    shop.refuses("is not what its manifest says");

    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(shop.source(ARCHIVE), changed).expect("it must be changed");
    shop.refuses("is not signed by a key of update.public_keys");

    let stranger = KeyPair::generate_unencrypted_keypair().expect("a key must be made");
    shop.put(ARCHIVE, &whole, &stranger);
    shop.refuses("is not signed by a key of update.public_keys");

    shop.offer("9.0.0", &good());
    let manifest = fs::read(shop.source("manifest.json")).expect("the manifest is there");
    shop.put("manifest.json", &manifest, &stranger);
    shop.refuses("is not signed by a key of update.public_keys");

    shop.put("manifest.json", b"{\"product\"", &shop.keys);
    shop.refuses("the manifest cannot be read");

    fs::remove_file(shop.source("manifest.json.minisig")).expect("it must be taken away");
    shop.refuses("manifest.json.minisig cannot be fetched");
}

#[test]
fn a_web_server_is_a_source_as_well_wherever_it_moved_its_files() {
    let shop = Shop::new();
    shop.offer("9.0.0", &good());
    let files = Host::plain(shop.shelf());
    let there = files.url();
    let source = Host::plain(move |path| match path.strip_prefix("/relay/") {
        Some(name) => host::moved(&format!("/latest/{name}")),
        None => host::moved(&format!("{there}{}", path.replace("/latest/", "/files/"))),
    });
    shop.configure(&format!("{}/relay/", source.url()));
    let updated = shop.run(&["update"]);
    assert_eq!(updated.status.code(), Some(0), "{}", said(&updated));
    assert_eq!(shop.version(), "inference-relay 9.0.0");
    assert!(files.asked().contains(&format!("/files/{ARCHIVE}")));
}

#[test]
fn a_source_with_a_certificate_of_its_own_is_trusted_where_its_authority_is_named() {
    let shop = Shop::new();
    shop.offer("9.0.0", &good());
    let source = Host::secure(shop.shelf());
    shop.configure(&format!("{}/files", source.url()));
    shop.refuses("name a file with that authority's certificate in SSL_CERT_FILE");
    assert!(source.asked().is_empty());

    let root = host::root();
    let updated = shop.run_with(&[("SSL_CERT_FILE", &root.to_string_lossy())], &["update"]);
    assert_eq!(updated.status.code(), Some(0), "{}", said(&updated));
    assert_eq!(shop.version(), "inference-relay 9.0.0");
}

#[test]
fn a_source_with_tls_is_reached_through_the_proxy_of_the_environment() {
    let shop = Shop::new();
    shop.offer("9.0.0", &good());
    let (source, proxy) = (Host::secure(shop.shelf()), Proxy::new());
    shop.configure(&format!("{}/files", source.url()));
    let root = host::root().to_string_lossy().into_owned();
    let address = format!("http://ann:secret@{}", proxy.address());
    let check = |env: &[(&str, &str)]| {
        let env = [&[("SSL_CERT_FILE", root.as_str())][..], env].concat();
        let checked = shop.run_with(&env, &["update", "--check"]);
        (checked.status.code(), said(&checked))
    };

    let (code, told) = check(&[("HTTPS_PROXY", &address)]);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("available: 9.0.0"), "{told}");
    let heads = proxy.heads();
    let target = source.url().replace("https://", "CONNECT ");
    for head in &heads {
        assert!(head.starts_with(&target), "{head}");
        assert!(head.contains("Basic YW5uOnNlY3JldA=="), "{head}");
    }
    assert_eq!(heads.len(), 2, "the manifest and its signature: {heads:?}");

    let (code, told) = check(&[("HTTPS_PROXY", &address), ("NO_PROXY", "127.0.0.1")]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(proxy.heads().len(), 2, "an exempt host is reached without");

    let (code, told) = check(&[("HTTPS_PROXY", "socks5://ann:secret@127.0.0.1:1")]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("write it as \"http://HOST:PORT\""), "{told}");
    assert!(!told.contains("secret"), "{told}");
}

#[test]
fn a_source_that_misbehaves_is_left() {
    let shop = Shop::new();
    let large = Host::plain(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 4294967296\r\n\r\n".to_vec());
    shop.configure(&large.url());
    shop.refuses("manifest.json.minisig has more than 4096 bytes");

    let circle = Host::plain(host::moved);
    shop.configure(&circle.url());
    shop.refuses("it is moved more than 5 times");
    assert_eq!(circle.asked().len(), 6);

    let open = circle.url();
    let secure = Host::secure(move |_| host::moved(&open));
    shop.configure(&secure.url());
    let root = host::root();
    let updated = shop.run_with(&[("SSL_CERT_FILE", &root.to_string_lossy())], &["update"]);
    let told = said(&updated);
    assert!(told.contains("where it is not followed"), "{told}");
    assert_eq!(circle.asked().len(), 6);

    let cut = Host::plain(|_| b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nuntrusted".to_vec());
    shop.configure(&cut.url());
    shop.refuses("manifest.json.minisig cannot be fetched");

    let gone = Host::plain(|_| host::missing());
    shop.configure(&gone.url());
    shop.refuses("the source answers 404 Not Found");
}

#[test]
fn updates_are_off_until_a_source_and_a_key_are_configured() {
    let world = World::scripted(ECHO);
    world.settle(free_port());
    let output = world.run(&["update"]);
    let told = said(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("updates are off: set update.source"),
        "{told}"
    );
}
