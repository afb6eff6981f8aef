//! A thread: what it was started with, and what it holds.

use crate::id;
use serde_json::Value;
use serde_json::json;
use std::sync::mpsc;

/// A turn that runs. It stops where it is told by which request, or where this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) id: String,
    pub(crate) stop: mpsc::Sender<Value>,
}

/// A thread of the server.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) id: String,
    pub(crate) model: String,
    cwd: Value,
    provider: Value,
    pub(crate) instructions: [Value; 2],
    pub(crate) tools: Vec<Value>,
    pub(crate) items: Vec<Value>,
    pub(crate) turn: Option<Turn>,
}

impl Thread {
    pub(crate) fn begin(params: &Value, tools: Vec<Value>) -> Thread {
        Thread {
            id: id::uuid(),
            model: params["model"].as_str().unwrap_or("gpt-5.5").to_owned(),
            cwd: params["cwd"].clone(),
            provider: params["modelProvider"].clone(),
            instructions: [
                params["baseInstructions"].clone(),
                params["developerInstructions"].clone(),
            ],
            tools,
            items: Vec::new(),
            turn: None,
        }
    }

    /// What a turn needs of it.
    pub(crate) fn clone_for_turn(&self) -> Thread {
        Thread {
            id: self.id.clone(),
            model: self.model.clone(),
            cwd: self.cwd.clone(),
            provider: self.provider.clone(),
            instructions: self.instructions.clone(),
            tools: self.tools.clone(),
            items: self.items.clone(),
            turn: None,
        }
    }

    /// The answer to `thread/start`; `now` is in seconds since 1970.
    pub(crate) fn told(&self, version: &str, now: u64) -> Value {
        let provider = match &self.provider {
            Value::Null => json!("mock"),
            provider => provider.clone(),
        };
        json!({
            "thread": {
                "id": self.id, "environments": [], "extra": null, "sessionId": self.id, "forkedFromId": null,
                "attachedToThreadId": null, "parentThreadId": null, "preview": "", "ephemeral": true, "section": null,
                "sectionEnteredAt": null, "projectId": null, "historyMode": "paginated", "modelProvider": provider,
                "model": self.model, "reasoningEffort": null, "createdAt": now, "updatedAt": now, "recencyAt": now,
                "status": {"type": "idle"}, "path": null, "cwd": self.cwd, "cliVersion": version,
                "originator": "simulated", "source": "vscode", "canAcceptDirectInput": true, "threadSource": null,
                "agentNickname": null, "agentRole": null, "gitInfo": null, "name": null, "daybreakEnabled": null,
                "turns": [],
            },
            "model": self.model, "modelProvider": provider, "serviceTier": null, "disabledPluginIds": [],
            "cwd": self.cwd, "runtimeWorkspaceRoots": [], "instructionSources": [], "approvalPolicy": "never",
            "approvalsReviewer": "user", "sandbox": {"type": "readOnly", "networkAccess": false},
            "activePermissionProfile": null, "reasoningEffort": null, "multiAgentMode": "explicitRequestOnly",
        })
    }

    /// What a turn changes of it.
    pub(crate) fn settings(&self, turn: &Value) -> Value {
        let effort = &turn["effort"];
        let settings = json!({"developer_instructions": null, "model": self.model, "reasoning_effort": effort});
        json!({
            "activePermissionProfile": null, "approvalPolicy": "never", "approvalsReviewer": "user",
            "collaborationMode": {"mode": "default", "settings": settings}, "cwd": self.cwd, "disabledPluginIds": [],
            "effort": effort, "environments": [], "model": self.model, "modelProvider": self.provider,
            "multiAgentMode": "explicitRequestOnly", "personality": null,
            "sandboxPolicy": {"networkAccess": false, "type": "readOnly"}, "serviceTier": null,
            "summary": turn["summary"],
        })
    }
}
