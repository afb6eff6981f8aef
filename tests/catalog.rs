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
    let used = user.says("host remove mock", 1);
    assert!(
        used.contains("in use by HostKey mock-key, Binding gpt-test-mock; nothing was removed"),
        "{used}"
    );
    let gone = user.says("host remove mock --force", 0);
    assert!(
        gone.contains("warning: HostKey mock-key names it"),
        "{gone}"
    );
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
        String::from_utf8_lossy(&variable.get_output().stdout),
        "NAME  ALIASES  PRICED  STATE\nm     –        no      enabled\n"
    );
    fs::create_dir_all(user.file("")).expect("a folder");
    fs::write(
        user.file("relay.toml"),
        format!("[catalog]\ndir = {:?}\n", named.display().to_string()),
    )
    .expect("it is written");
    assert!(user.says("model list", 0).contains("no      enabled"));
    assert!(user.says("config show", 0).contains("catalog.dir"));
}

#[test]
fn what_is_added_names_what_there_is_or_is_forced() {
    let user = User::new();
    user.says("host add openai --url https://api.example.com", 0);
    let wrong = user.says("host-key add k --host opnai --env FOO", 1);
    assert!(
        wrong.contains("there is no host \"opnai\"; did you mean \"openai\"?; nothing was added"),
        "{wrong}"
    );
    assert!(
        user.says(
            "binding add --model m --lane http:openai --adapter openai",
            1
        )
        .contains("there is no model \"m\"")
    );
    assert!(
        user.says("policy add p --models m", 1)
            .contains("nothing was added")
    );
    assert!(!user.file("catalog/host-key-k.yaml").exists());
    user.says("host-key add k --host opnai --env FOO --force", 0);
    assert!(user.file("catalog/host-key-k.yaml").exists());
    let url = user.says("host add m2 --url 127.0.0.1:80 --auth none", 2);
    assert!(
        url.contains("spec.url") && !url.contains("unknown field"),
        "{url}"
    );
}

#[test]
fn a_private_host_without_a_key_shows_none_and_says_so() {
    let user = User::new();
    let all = |line: &str| {
        let output = user.relay(line).assert().success().get_output().clone();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let added = all("host add local --url http://127.0.0.1:11434 --network private");
    assert!(added.contains("has `auth: none`"), "{added}");
    assert_eq!(
        user.json("host show local --json", 0)["spec"]["auth"],
        "none"
    );
    let key = all("host-key add k --host local --env FOO");
    assert!(key.contains("this key is not shown to it"), "{key}");
    let public = all("host add far --url https://api.example.com");
    assert!(
        public.contains("host-key add far-key --host far --stdin"),
        "{public}"
    );
    assert_eq!(
        user.json("host show far --json", 0)["spec"]["auth"],
        Value::Null
    );
    let said = all("host add own --url http://127.0.0.1:1 --network private --auth bearer");
    assert!(said.contains("host-key add own-key"), "{said}");
    assert_eq!(
        user.json("host show own --json", 0)["spec"]["auth"],
        "bearer"
    );
}

#[test]
fn what_is_in_use_goes_by_force_only() {
    let user = User::new();
    let add = "host add mock --url https://api.example.com --key-stdin";
    user.relay(add).write_stdin("sk-mock\n").assert().success();
    let used = user.says("secret remove mock-key", 1);
    assert!(
        used.contains("the secret \"mock-key\" is in use by HostKey mock-key"),
        "{used}"
    );
    user.says("secret remove mock-key --force", 0);
    user.says("policy add team --all", 0);
    user.says("key create app --policy team", 0);
    let used = user.says("policy remove team", 1);
    assert!(used.contains("in use by relay key app"), "{used}");
    user.says("user add ann --role admin", 0);
    user.says("user add bob", 0);
    let last = user.says("user remove ann", 1);
    assert!(last.contains("ann is the last admin"), "{last}");
    user.says("user add eve --role admin", 0);
    user.says("user remove ann", 0);
    user.says("user remove eve --force", 0);
    assert_eq!(
        user.says("user list", 0),
        "NAME  ROLE    STATE\nbob   viewer  enabled\n"
    );
}

#[test]
fn a_key_takes_a_policy_that_there_is() {
    let user = User::new();
    user.says("policy add team --all", 0);
    for line in ["key create app --policy tem", "key policy app tem"] {
        let told = user.says(line, 1);
        assert!(
            told.contains("there is no policy \"tem\"; did you mean \"team\"?"),
            "{told}"
        );
    }
    assert_eq!(
        user.json("key list --json", 0)["keys"],
        Value::Array(Vec::new())
    );
    user.says("key create app --policy team", 0);
    user.says("key create free", 0);
    let list = user.says("key list", 0);
    let lines: Vec<Vec<&str>> = list
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let column = lines[0]
        .iter()
        .position(|name| *name == "POLICY")
        .expect("there is such a column");
    assert_eq!(
        (lines[1][column], lines[2][column]),
        ("team", "–"),
        "{list}"
    );
    let doctor = user.json("doctor --json", 1);
    let states = |name: &str| {
        doctor["checks"].as_array().and_then(|checks| {
            let found = checks.iter().find(|check| check["name"] == name);
            found.map(|check| check["state"].clone())
        })
    };
    assert_eq!(
        (states("catalog"), states("policies")),
        (Some("ok".into()), None),
        "{doctor}"
    );
    fs::write(
        user.file("catalog/policy-team.yaml"),
        "kind: Policy\nmetadata: { name: team }\nspec: { limts: {} }\n",
    )
    .expect("it is written");
    let doctor = user.says("doctor", 1);
    assert!(
        doctor.contains("Policy team: unknown field \"spec.limts\""),
        "{doctor}"
    );
    assert!(
        doctor.contains("relay key app names Policy team, which is not in force"),
        "{doctor}"
    );
    let told = user.says("key policy app team", 1);
    assert!(told.contains("the policy \"team\" is out: "), "{told}");
}

#[test]
fn a_catalog_that_ends_the_service_of_claude_says_so_once() {
    let user = User::new();
    let first = user.says("model add gpt-test", 0);
    let next = first
        .split_once("`inference-relay ")
        .and_then(|(_, rest)| rest.split_once('`'));
    let (next, _) = next.expect("it tells the next step");
    assert!(first.contains("gets 404 now"), "{first}");
    assert!(!user.says("model add gpt-two", 0).contains("404"));
    user.says(next, 0);
    let other = User::new();
    assert!(
        !other.says(next, 0).contains("404"),
        "what it bound is served"
    );
}

#[test]
fn lists_have_a_header_and_what_tells_rows_apart() {
    let user = User::new();
    user.says(
        "host add openai --url https://api.example.com --key-env FOO",
        0,
    );
    user.says("model add gpt-test --alias gpt-latest", 0);
    user.says(
        "binding add --model gpt-test --lane http:openai --adapter openai",
        0,
    );
    let hosts = user.says("host list", 0);
    assert_eq!(
        hosts,
        "NAME    URL                      NETWORK  STATE\nopenai  https://api.example.com  public   enabled\n"
    );
    let bindings = user.says("binding list", 0);
    assert!(
        bindings
            .starts_with("NAME             MODEL     LANE         ADAPTER  ORDER  WEIGHT  STATE\n"),
        "{bindings}"
    );
    assert!(user.says("model list", 0).contains("gpt-latest"));
}
