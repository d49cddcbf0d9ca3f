//! The chart: what it renders to, what the API server says to that, and the life of a release.

mod namespaces;
mod release;
mod values;

use std::path::Path;
use std::process::Command;

use fairway_tests::fairway::binary;
use fairway_tests::helm::{chart, helm, render};
use fairway_tests::kube::Kube;

/// Everything that the chart can render at once.
const EVERYTHING: &[&str] = &[
    "demo.enabled=true",
    "autoscaling.enabled=true",
    "networkPolicy.enabled=true",
    "networkPolicy.statusFrom=[{\"namespaceSelector\":{}}]",
    "serviceMonitor.enabled=true",
    "listeners.internal={\"port\":8081,\"hostPort\":8081,\"policy\":{\"timeouts\":{\"idle\":\"2m\"}},\"normalization\":{\"emptySegments\":\"keep\"}}",
    "defaults={\"timeouts\":{\"response\":\"10s\"}}",
    "overrides={\"timeouts\":{\"connect\":\"1s\"}}",
    "backends={\"market/finance\":\"10.0.0.7:8000\"}",
    "allowExternalHosts=[\"*.example.com\"]",
    "allowAddresses=[\"169.254.0.0/16\"]",
    "settings.workers=2",
    "settings.dns=[\"10.96.0.10\"]",
];

/// The ways of installing that differ in kind.
const VARIANTS: &[(&str, &[&str])] = &[
    ("defaults", &[]),
    ("namespaces", &["watch.namespaces=[\"market\",\"other\"]"]),
    ("daemonset", &["kind=\"DaemonSet\"", "hostNetwork=true"]),
    ("everything", EVERYTHING),
];

/// The definition of ServiceMonitor, as far as the chart uses it.
const SERVICE_MONITOR: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: servicemonitors.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  scope: Namespaced
  names: {kind: ServiceMonitor, plural: servicemonitors, singular: servicemonitor}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [selector, endpoints]
              properties:
                selector: {type: object, x-kubernetes-preserve-unknown-fields: true}
                endpoints:
                  type: array
                  items:
                    type: object
                    properties: {port: {type: string}, path: {type: string}, interval: {type: string}}
"#;

#[test]
fn helm_finds_nothing_to_complain_of() {
    let chart = chart().display().to_string();
    for (name, sets) in VARIANTS {
        let mut args = vec!["lint", "--strict", &chart];
        args.extend(sets.iter().flat_map(|set| ["--set-json", set]));
        let (code, said, complained) = helm(&args);
        assert!(code == 0 && !said.contains("WARNING"), "{name}: {said}{complained}");
    }
}

#[test]
fn what_is_not_known_is_refused_by_name() {
    let chart = chart().display().to_string();
    let cases = [
        ("replica=3", "at '': additional properties 'replica' not allowed"),
        ("image.repo=\"x\"", "at '/image': additional properties 'repo' not allowed"),
        ("listeners.http.prot=1", "at '/listeners/http': additional properties 'prot' not allowed"),
        ("defaults.timeout={}", "at '/defaults': additional properties 'timeout' not allowed"),
        ("kind=\"Pod\"", "at '/kind': value must be one of 'Deployment', 'DaemonSet'"),
        ("drain.delay=\"5\"", "at '/drain/delay': '5' does not match pattern"),
        ("listeners.http=null", "listeners is empty: write at least one"),
        ("autoscaling.enabled=true,kind=\"DaemonSet\"", "write kind: Deployment, or"),
        ("demo.enabled=true,watch.namespaces=[\"a\"]", "watch.namespaces lacks default"),
    ];
    for (set, expected) in cases {
        let (code, _, complained) = helm(&["template", "fairway", &chart, "--set-json", set]);
        assert!(code != 0 && complained.contains(expected), "{set}: {complained}");
    }
}

#[test]
fn the_versions_are_those_of_the_program() {
    for file in ["Chart.yaml", "charts/crds/Chart.yaml"] {
        let text = std::fs::read_to_string(chart().join(file)).unwrap();
        for key in ["version", "appVersion"] {
            let line = format!("\n{key}: {}\n", env!("CARGO_PKG_VERSION"));
            assert!(text.contains(&line), "{file}: {key}");
        }
    }
}

#[test]
fn the_grace_of_a_pod_is_what_draining_takes() {
    let cases = [("5s", "30s", 40), ("1m30s", "1h", 3695), ("1500ms", "0s", 7)];
    for (delay, deadline, seconds) in cases {
        let sets = [format!("drain.delay=\"{delay}\""), format!("drain.deadline=\"{deadline}\"")];
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let line = format!("terminationGracePeriodSeconds: {seconds}\n");
        assert!(render(&sets, &[]).contains(&line), "{delay} {deadline}");
    }
}

/// The settings file of a render, with the folder that a pod would have.
fn settings(sets: &[&str], state: &Path) -> String {
    let text = render(sets, &["--show-only", "templates/configmap.yaml"]);
    let (_, file) = text.split_once("fairway.yaml: |\n").unwrap();
    let kept: Vec<&str> =
        file.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
    kept.join("\n").replace("/var/lib/fairway", &state.display().to_string())
}

#[test]
fn the_gateway_takes_the_settings_that_the_chart_writes() {
    let folder = tempfile::tempdir().unwrap();
    for (name, sets) in VARIANTS {
        let file = folder.path().join("fairway.yaml");
        std::fs::write(&file, settings(sets, folder.path())).unwrap();
        let mut run = Command::new(binary());
        run.args(["run", "--print-config", "--config"]).arg(&file);
        for variable in ["FAIRWAY_POD_NAME", "FAIRWAY_POD_NAMESPACE", "FAIRWAY_POD_UID"] {
            run.env(variable, "fairway-0");
        }
        let output = run.output().unwrap();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {complained}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_every_variant() {
    let kube = Kube::start().await;
    for namespace in ["fairway-system", "market", "other"] {
        kube.namespace(namespace).await;
    }
    // Which a controller makes where one runs; the pod of the chart's test uses it.
    let account = ["create", "serviceaccount", "default", "--namespace=fairway-system"];
    let (code, said) = kube.kubectl(&account, "");
    assert_eq!(code, 0, "{said}");
    let (code, said) = kube.kubectl(&["apply", "-f", "-"], SERVICE_MONITOR);
    assert_eq!(code, 0, "{said}");
    let wait = ["wait", "--for=condition=Established", "crd", "--all"];
    let (code, said) = kube.kubectl(&wait, "");
    assert_eq!(code, 0, "{said}");
    let dry_run = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "--force-conflicts",
        "-f",
        "-",
    ];
    for (name, sets) in VARIANTS {
        let (code, said) = kube.kubectl(&dry_run, &render(sets, &[]));
        assert!(code == 0 && !said.contains("Warning"), "{name}: {said}");
    }
    let plain = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/fairway.yaml");
    let (code, said) = kube.kubectl(&dry_run, &std::fs::read_to_string(plain).unwrap());
    assert!(code == 0 && said.contains("deployment.apps/fairway serverside-applied"), "{said}");
}
