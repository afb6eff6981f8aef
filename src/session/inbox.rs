//! What reaches a session from its claude over HTTP: what its hooks post, and the calls of its tools.

use super::launch_context::LaunchContext;
use super::mcp::server::McpServer;
use super::mcp::tool_list::ToolList;
use super::mcp::tool_sync::ToolEvent;
use super::witness::receiver::HookAddress;
use super::witness::receiver::Line;
use super::witness::receiver::Post;
use std::io;
use tokio::sync::mpsc;

pub(super) struct Inbox {
    /// Open for as long as it is held.
    pub(super) address: HookAddress,
    pub(super) posts: mpsc::Receiver<Post>,
    pub(super) mcp: McpServer,
    pub(super) tool_events: mpsc::Receiver<ToolEvent>,
}

impl Inbox {
    /// Opens an address for a session that finds these tools when it comes up.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(super) fn open(launch_context: &LaunchContext, tools: ToolList) -> io::Result<Inbox> {
        let (posts_tx, posts) = mpsc::channel(POSTS_MAX);
        let (mcp, tool_events) = McpServer::new(tools);
        let address = launch_context.receiver.open(Line {
            posts: posts_tx,
            mcp: mcp.clone(),
        })?;
        Ok(Inbox {
            address,
            posts,
            mcp,
            tool_events,
        })
    }
}

/// Hooks that may wait for a session; one that is this far behind is stuck.
const POSTS_MAX: usize = 4096;
