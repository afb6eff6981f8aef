//! Pictures of a message on stdin: the newer family keeps each in a file, and tells the model where.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::world::World;

/// The message with what it is told of its pictures; nothing where no file could be written.
pub(super) fn kept(world: &World, mut content: Value) -> Value {
    let folder = folder(world);
    if let (true, Some(blocks)) = (world.dialect.is_new(), content.as_array_mut()) {
        let pictures = blocks.iter().filter_map(picture).enumerate();
        let notes: Vec<Value> = pictures
            .filter_map(|(index, data)| keep(&folder, index + 1, data))
            .collect();
        blocks.extend(notes);
    }
    content
}

/// Its place among the passing files: by user, by project, by session.
fn folder(world: &World) -> PathBuf {
    let user = format!("claude-{}", rustix::process::getuid().as_raw());
    let project = world.frame.folder.file_name().unwrap_or_default();
    let session = world.journal().session_id().to_owned();
    world
        .passing
        .join(user)
        .join(project)
        .join(session)
        .join("images")
}

fn picture(block: &Value) -> Option<&str> {
    let source = (block["type"] == "image").then(|| &block["source"])?;
    source["data"].as_str()
}

fn keep(folder: &Path, number: usize, data: &str) -> Option<Value> {
    std::fs::create_dir_all(folder).ok()?;
    let file = folder.join(format!("{number}.png"));
    std::fs::write(&file, data).ok()?;
    Some(json!({ "type": "text", "text": format!("[Image: source: {}]", file.display()) }))
}
