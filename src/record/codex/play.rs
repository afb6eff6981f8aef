//! Plays the cases on a Codex CLI, by the relay's own lane, in a throwaway home.

use super::case::Case;
use super::talk::masked;
use super::talk::split;
use super::upstream::Upstream;
use crate::codex::CodexConfig;
use crate::codex::CodexLane;
use crate::codex::Speaker;
use crate::codex::Talk;
use crate::disk::make_private_folder;
use crate::disk::write_private;
use crate::lane::Call;
use crate::lane::Lane;
use crate::lane::Reply;
use crate::session::ProcessRegistry;
use crate::turn::Timeline;
use crate::wire::anthropic::request;
use crate::wire::anthropic::request::Version;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// The CLI that is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Player {
    pub(crate) program: PathBuf,
    /// `PATH`, so that a script finds its interpreter.
    pub(crate) path: OsString,
    /// Set for it, beside what the recorder sets.
    pub(crate) env: BTreeMap<String, String>,
}

impl Player {
    /// Plays the cases one after the other; what was said in each.
    ///
    /// # Errors
    /// Where a home cannot be made, or the talk of a case does not come to its end.
    pub(crate) async fn play(&self, cases: Vec<Case>) -> io::Result<Vec<(String, String)>> {
        let (away, there): (Vec<Case>, Vec<Case>) =
            cases.into_iter().partition(Case::is_unreachable);
        let upstream = Upstream::start(there.clone()).await?;
        let mut talks = self.played(&there, upstream.port).await?;
        let port = upstream.port;
        drop(upstream);
        if !away.is_empty() {
            let of_cases = |talk: &(String, String)| talk.0 != HANDSHAKE || there.is_empty();
            talks.extend(self.played(&away, port).await?.into_iter().filter(of_cases));
        }
        Ok(talks)
    }

    /// Plays cases on one lane, whose CLI asks this port.
    async fn played(&self, cases: &[Case], port: u16) -> io::Result<Vec<(String, String)>> {
        let home = Home::make(port)?;
        let talk = Talk::default();
        let lane = CodexLane::new(
            self.config(&home.0, talk.clone()),
            ProcessRegistry::open(home.0.join("pids.json")).0,
        );
        let mut talks = Vec::new();
        let mut before = 0;
        for case in cases {
            ask(&lane, &case.name).await?;
            let ended = timeout(END_WAIT, talk.until(|lines| whole(&lines[before..])));
            let lines = ended
                .await
                .map_err(|_| io::Error::other(format!("the talk of {:?} has no end", case.name)))?;
            before += lines.len();
            let [handshake, call] = split(&lines);
            // Later on it is what the call before left behind.
            if talks.is_empty() {
                talks.push((HANDSHAKE.to_owned(), masked(&handshake)));
            }
            talks.push((case.name.clone(), masked(&call)));
        }
        lane.drain().await;
        Ok(talks)
    }

    fn config(&self, home: &Path, talk: Talk) -> CodexConfig {
        let mut env = self.env.clone();
        let folder = home.join("codex").to_string_lossy().into_owned();
        env.extend([
            ("CODEX_HOME".to_owned(), folder),
            (KEY_VARIABLE.to_owned(), "any".to_owned()),
        ]);
        let home_variable = ("HOME".into(), home.as_os_str().to_owned());
        CodexConfig {
            command: Some(self.program.clone()),
            env,
            inherited: BTreeMap::from([("PATH".into(), self.path.clone()), home_variable]),
            runs: home.join("runs"),
            processes_max: 1,
            calls_max: 1,
            queue_wait_max: END_WAIT,
            turn_wait_max: END_WAIT,
            talk: Some(talk),
        }
    }
}

/// All lines, once both have said that the thread is let go.
fn whole(lines: &[(Speaker, Value)]) -> Option<Vec<(Speaker, Value)>> {
    let is_asked = lines
        .iter()
        .any(|(_, line)| line["method"] == "thread/unsubscribe");
    let is_let_go = lines
        .iter()
        .any(|(_, line)| line["result"]["status"] == "unsubscribed");
    (is_asked && is_let_go).then(|| lines.to_vec())
}

/// A call with a history, two tools and this prompt; how it ends is in the talk.
async fn ask(lane: &CodexLane, prompt: &str) -> io::Result<()> {
    let tool = |name: &str| {
        let schema = json!({"type": "object", "properties": {"q": {"type": "string"}}});
        json!({"name": name, "description": "d", "input_schema": schema})
    };
    let used = json!([{"type": "tool_use", "id": "c1", "name": "alpha", "input": {"q": "0"}}]);
    let result = json!([{"type": "tool_result", "tool_use_id": "c1", "content": "zero"}, {"type": "text", "text": prompt}]);
    let body = json!({
        "model": MODEL, "max_tokens": 100, "stream": true, "thinking": {"type": "adaptive"}, "system": "Be brief.",
        "tools": [tool("alpha"), tool("beta")],
        "messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": used},
            {"role": "user", "content": result}],
    });
    let read = request::call(body.to_string().as_bytes(), Version::V2023_06_01);
    let read = read.map_err(|fault| io::Error::other(fault.public))?;
    let call = Call::new(read.request, Timeline::default());
    match lane.serve(call).await {
        Ok(Reply::Events(mut events)) => while events.next().await.is_some() {},
        Ok(Reply::Passed(_)) | Err(_) => {}
    }
    Ok(())
}

/// A home of one lane. It goes with its holder.
struct Home(PathBuf);

impl Home {
    /// Its configuration names the API at this port.
    fn make(port: u16) -> io::Result<Home> {
        let name = format!("inference-relay-record-{}", uuid::Uuid::new_v4().simple());
        let home = Home(std::env::temp_dir().canonicalize()?.join(name));
        let codex = home.0.join("codex");
        make_private_folder(&codex)?;
        let config = format!(
            "model_provider = \"played\"\n[model_providers.played]\nname = \"played\"\n\
             base_url = \"http://127.0.0.1:{port}/v1\"\nwire_api = \"responses\"\nenv_key = \"{KEY_VARIABLE}\"\n"
        );
        write_private(&codex.join("config.toml"), config.as_bytes(), 0o600)?;
        Ok(home)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is said before the first call, under a name of its own.
pub(crate) const HANDSHAKE: &str = "handshake";
/// What the played provider takes for its key.
const KEY_VARIABLE: &str = "PLAYED_KEY";
/// The CLI's own catalogue need not know it.
const MODEL: &str = "gpt-5.5";
/// A case takes 50 ms; a first start unpacks files.
const END_WAIT: Duration = Duration::from_secs(60);
