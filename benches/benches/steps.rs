//! Time of each step of a message's way; see `src/work.rs`. On a busy machine count instructions
//! instead: `make bench-instructions`.

use benches::work::STEPS;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("steps");
    for step in STEPS {
        let mut repeat = (step.prepare)().expect("every step can be prepared");
        group.throughput(Throughput::Elements(step.messages));
        group.bench_function(step.name, |bencher| bencher.iter(&mut repeat));
    }
    group.finish();
}

criterion_group!(all, steps);
criterion_main!(all);
