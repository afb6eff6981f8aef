//! The catalog's commands as a user types them.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A private home folder, and the relay run in it with nothing of this machine's environment.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> User {
        User {
            home: tempfile::tempdir().expect("a temporary folder must be made"),
        }
    }

    fn relay(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inference-relay"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("USERPROFILE", self.home.path())
            .args(line.split_whitespace());
        command
    }

    fn says(&self, line: &str, code: i32) -> String {
        let assert = self.relay(line).assert().code(code);
        let output = assert.get_output();
        [&output.stdout[..], &output.stderr[..]]
            .map(String::from_utf8_lossy)
            .concat()
    }

    fn json(&self, line: &str, code: i32) -> Value {
        let assert = self.relay(line).assert().code(code);
        serde_json::from_slice(&assert.get_output().stdout).expect("--json must print JSON")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(".inference-relay").join(name)
    }
}

#[test]
fn a_host_with_its_key_and_model_is_added_shown_tested_and_removed() {
    let user = User::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    let line = format!("host add mock --url http://{address} --network private --key-stdin");
    let added = user
        .relay(&line)
        .write_stdin("sk-mock\n")
        .assert()
        .success();
    let added = String::from_utf8_lossy(&added.get_output().stdout).into_owned();
    assert!(
        added.contains("Host mock: in ") && added.contains("HostKey mock-key: in "),
        "{added}"
    );
    user.says(
        "model add gpt-test --alias gpt-latest --input-price 2.5 --output-price 10",
        0,
    );
    user.says(
        "binding add --model gpt-test --lane http:mock --adapter openai",
        0,
    );
    user.says(
        "policy add team --models gpt-test --budget 50/month --concurrent 4",
        0,
    );
    assert!(
        user.says("catalog validate", 0)
            .contains("5 rows, nothing wrong")
    );
    let model = user.json("model show gpt-test --json", 0);
    assert_eq!(model["spec"]["price"]["input"], 2.5);
    let tried = user.json("host test mock --json", 0);
    assert_eq!(tried["good"], true, "{tried}");
    assert!(
        user.says("binding test gpt-test-mock", 0)
            .contains("http:mock serves it as gpt-test")
    );
    assert!(
        user.says("policy test team", 0)
            .contains("good  models: gpt-test")
    );
    let again = user.says("model add gpt-test", 1);
    assert!(
        again.contains("--replace puts this one in its place"),
        "{again}"
    );
    let gone = user.says("host remove mock", 0);
    assert!(gone.contains("there is no host \"mock\""), "{gone}");
    let all = user.says("catalog validate", 1);
    assert!(
        all.contains("HostKey mock-key: there is no host \"mock\""),
        "{all}"
    );
}

#[cfg(unix)]
#[test]
fn what_is_added_is_private_and_a_credential_is_nowhere_in_it() {
    use std::os::unix::fs::PermissionsExt;
    let user = User::new();
    let line = "host add openai --url https://api.example.com --key-stdin --json";
    let output = user
        .relay(line)
        .write_stdin("sk-hidden\n")
        .assert()
        .success();
    let mut said = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    for name in [
        "catalog/host-openai.yaml",
        "catalog/host-key-openai-key.yaml",
        "secrets.json",
        "master.key",
    ] {
        let path = user.file(name);
        said += &fs::read_to_string(&path).expect("it was written");
        let mode = fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    said += &user.says("secret list", 0);
    assert!(
        said.contains("openai-key") && !said.contains("sk-hidden"),
        "{said}"
    );
}

#[test]
fn a_catalog_is_compared_applied_and_exported_to_the_same_bytes() {
    let user = User::new();
    let wanted = "kind: Host\nmetadata: { name: a }\nspec: { url: \"https://a.example\" }\n";
    let path = user.home.path().join("wanted.yaml");
    fs::write(&path, wanted).expect("it is written");
    let path = path.display();
    let diff = user.json(&format!("catalog diff {path} --json"), 1);
    assert_eq!(diff["changes"][0]["change"], "added");
    user.says(&format!("catalog apply {path} --dry-run"), 0);
    assert_eq!(user.says("catalog export", 0), "");
    user.says(&format!("catalog apply {path}"), 0);
    user.says(&format!("catalog diff {path}"), 0);
    let export = user.says("catalog export", 0);
    let elsewhere = User::new();
    let applied = elsewhere
        .relay("catalog apply -")
        .write_stdin(export.clone())
        .assert();
    applied.success();
    assert_eq!(elsewhere.says("catalog export", 0), export);
    let removed = elsewhere
        .relay("catalog apply - --prune")
        .write_stdin("")
        .assert();
    removed.success();
    assert_eq!(elsewhere.says("catalog export", 0), "");
}

#[test]
fn a_wrong_file_is_told_with_its_line_and_changes_nothing() {
    let user = User::new();
    let path = user.home.path().join("wrong.yaml");
    fs::write(
        &path,
        "kind: Host\nmetadata: { name: a }\nspec:\n  urll: \"https://a.example\"\n",
    )
    .expect("it is written");
    let path = path.display();
    let said = user.says(&format!("catalog apply {path}"), 1);
    assert!(
        said.contains("wrong.yaml:4: Host a: unknown field \"spec.urll\"; did you mean \"url\"?"),
        "{said}"
    );
    assert!(said.contains("nothing was changed"), "{said}");
    let report = user.json(&format!("catalog validate {path} --json"), 1);
    assert_eq!(
        (&report["valid"], &report["problems"][0]["code"]),
        (&false.into(), &"field".into())
    );
    assert!(!user.file("catalog").exists());
}

#[test]
fn the_folder_is_named_by_the_variable_or_the_configuration() {
    let user = User::new();
    let named = user.home.path().join("elsewhere");
    fs::create_dir(&named).expect("a folder");
    fs::write(named.join("m.yml"), "kind: Model\nmetadata: { name: m }\n").expect("it is written");
    let variable = user
        .relay("model list")
        .env("RELAY_CONFIG_DIR", &named)
        .assert()
        .success();
    assert_eq!(
        String::from_utf8_lossy(&variable.get_output().stdout).trim(),
        "m  enabled"
    );
    fs::create_dir_all(user.file("")).expect("a folder");
    fs::write(
        user.file("relay.toml"),
        format!("[catalog]\ndir = {:?}\n", named.display().to_string()),
    )
    .expect("it is written");
    assert!(user.says("model list", 0).contains("m  enabled"));
    assert!(user.says("config show", 0).contains("catalog.dir"));
}
