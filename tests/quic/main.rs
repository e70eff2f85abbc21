//! Nodes and consoles over QUIC on loopback: what works, and what others try in vain.

#![allow(missing_docs, clippy::unwrap_used)]

mod consoles;
mod hostile;
mod nodes;
mod town;

#[test]
fn a_whole_cluster_runs_over_quic_in_one_process() {
    let args = ["run", "--runtime", "quic", "--headless", "--until", "4s", "--quiet"];
    let mut command = assert_cmd::Command::cargo_bin("netsplit").expect("the binary is built");
    let output = command.args(args).timeout(town::SOON).output().expect("it ends by itself");
    let out = String::from_utf8(output.stdout).expect("output is text");
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.ends_with("verdict: ok\n"), "{out}");
    let fine = |line: &&str| line.contains(" holds ") || line.contains(" unused ");
    let checks = out.lines().skip(2).take_while(|line| !line.starts_with("replay: "));
    assert!(checks.clone().count() > 8 && checks.clone().all(|line| fine(&line)), "{out}");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
