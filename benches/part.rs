//! The parts that only think, one benchmark each; and what the terminal reader is held against.
//!
//! `cargo bench --features bench --bench part`

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use inference_relay::gauge::measures;
use inference_relay::gauge::recordings;
use std::hint::black_box;

fn parts(criterion: &mut Criterion) {
    for mut measure in measures() {
        let (room, part) = measure.name.split_once('/').unwrap_or(("", measure.name));
        let mut group = criterion.benchmark_group(room);
        if measure.bytes > 0 {
            group.throughput(Throughput::Bytes(measure.bytes));
        }
        group.bench_function(part, |bencher| bencher.iter(&mut measure.round));
        group.finish();
    }
}

/// The emulator alone, and a copy of the same bytes: what the reader can come near to, and what nothing beats.
fn floors(criterion: &mut Criterion) {
    let pieces = recordings();
    let bytes: usize = pieces.iter().flatten().map(String::len).sum();
    let mut group = criterion.benchmark_group("terminal");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("emulator", |bencher| {
        bencher.iter(|| {
            for pieces in &pieces {
                let mut parser = vt100::Parser::new(40, 120, 0);
                for piece in pieces {
                    parser.process(black_box(piece.as_bytes()));
                }
                black_box(parser.screen().cursor_position());
            }
        });
    });
    group.bench_function("copy", |bencher| {
        let mut copy = Vec::with_capacity(bytes);
        bencher.iter(|| {
            copy.clear();
            for piece in pieces.iter().flatten() {
                copy.extend_from_slice(black_box(piece.as_bytes()));
            }
            black_box(copy.len())
        });
    });
    group.finish();
}

criterion_group!(benches, parts, floors);
criterion_main!(benches);
