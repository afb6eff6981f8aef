//! A whole warm call on fake-claude, buffered and streamed.
//!
//! `cargo build --release --workspace && cargo bench -p relay-bench`
//!
//! `inference-relay bench floor` tells the same as medians of rounds, beside the floor of the same run; here criterion
//! keeps what it measured and says what changed since.

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use relay_bench::WholeCall;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

fn calls(criterion: &mut Criterion) {
    let mut daemon = WholeCall::start(&relay());
    let mut group = criterion.benchmark_group("call");
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(5));
    for (name, streamed) in [("buffered", false), ("streamed", true)] {
        group.bench_function(name, |bencher| bencher.iter(|| daemon.call(streamed)));
    }
    group.finish();
}

/// The relay that was built into the folder of this program.
fn relay() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_relay-bench")).with_file_name("inference-relay")
}

criterion_group!(benches, calls);
criterion_main!(benches);
