//! A worker whose surroundings fail it: nobody listens, the machine has no more to give.

use crate::support::process::output_to;
use crate::support::user::{User, closed_pipe};

const FOUR_JOBS: &str = "name: four\nparameters: {i: '1:4'}\njobs:\n\
    - {name: 'j{i}', command: 'sleep 0.1', use_parameters: [i]}\n";

/// As in `torc run spec.yaml 2>&1 | head -1`: the work goes on without its reader.
#[test]
fn nobody_need_listen() {
    let user = User::with_server();
    let file = user.write("four.yaml", FOUR_JOBS);
    for more in [&["--fail-on-job-failure"][..], &["--log-level", "trace"]] {
        let mut command = user.command(&[&["run", &file], more].concat());
        let answer = output_to(&mut command, closed_pipe(), closed_pipe());
        assert_eq!(answer.code, Some(0));
    }
    assert_eq!(user.jobs("1", "completed"), 4);
    assert_eq!(user.jobs("2", "completed"), 4);
}
