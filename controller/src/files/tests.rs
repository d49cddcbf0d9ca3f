//! Folders as people have them: every mistake at once, with its place.

mod bundles;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Follow, FollowEvent, LoadErrors, load, load_text};

const GOOD: &str = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: a}\nspec:\n  rules:\n    - backends: [{service: finance, port: 8000}]\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn nothing(_: &str) -> Option<String> {
    None
}

/// The problems, without the path of the folder.
fn problems(folder: &Path) -> Vec<String> {
    let LoadErrors { problems } = load(&[folder.to_owned()], &nothing).unwrap_err();
    let prefix = format!("{}/", folder.display());
    problems.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect()
}

#[test]
fn a_text_is_read_as_the_file_that_holds_it() {
    let text = GOOD.replace("finance", "\"${NAME:-finance}\"");
    let folder = folder(&[("a.yaml", &text), (".env", "NAME=beside")]);
    let read = |text: &str| load_text(Path::new("a.yaml"), text, &nothing);
    let routes = |folder: &TempDir| load(&[folder.path().into()], &nothing).unwrap().inputs.routes;
    // A text has no `.env` beside it.
    assert_ne!(read(&text).unwrap().inputs.routes, routes(&folder));
    std::fs::remove_file(folder.path().join(".env")).unwrap();
    assert_eq!(read(&text).unwrap().inputs.routes, routes(&folder));
    let told = read("- 1\n").unwrap_err().to_string();
    assert!(told.starts_with("a.yaml:1:1: not an object"), "{told}");
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once_with_their_places() {
    let folder = folder(&[
        (
            "a.yaml",
            "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata:\n  name: ${UNSET}\nspec:\n  host: [a]\n  rules:\n    - name: x\n      backend: [{service: finance}]\n      match: {path: /a}\n",
        ),
        (
            "b.yaml",
            "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: b}\nspec:\n  rules:\n    - backends: [{service: \"${UNSET}\", weight: -1, port: [1]}]\n---\nkind: x: y\n",
        ),
        (
            "c.yaml",
            "apiVersion: fairway.dev/v1\nkind: ServiceRoute\nmetadata: {name: c}\n---\nkind: ServiceRoute\n---\n- 1\n",
        ),
    ]);
    let expected = [
        "a.yaml:4:9: ${UNSET} is not set: set UNSET in the environment or in .env, or write ${UNSET:-default}",
        "a.yaml:6:3: unknown field spec.host: did you mean hosts?",
        "a.yaml:9:7: unknown field spec.rules[0].backend: did you mean backends?",
        "a.yaml:10:14: spec.rules[0].match is an object: write a list",
        "b.yaml:6:28: ${UNSET} is not set: set UNSET in the environment or in .env, or write ${UNSET:-default}",
        "b.yaml:6:48: spec.rules[0].backends[0].weight is -1: write a number from 0 to 1000000",
        "b.yaml:6:58: spec.rules[0].backends[0].port is a list: write a number or a name",
        "b.yaml:8:8: not valid YAML: mapping values are not allowed in this context",
        "c.yaml:2:7: fairway.dev/v1 ServiceRoute is not known: write apiVersion: fairway.dev/v1alpha1 and kind: ServiceRoute",
        "c.yaml:5:1: apiVersion or kind is missing: write apiVersion: fairway.dev/v1alpha1 and kind: ServiceRoute",
        "c.yaml:7:1: not an object: write apiVersion, kind, metadata and spec",
    ];
    assert_eq!(problems(folder.path()), expected);
}

#[test]
fn what_is_missing_is_told_with_what_to_write() {
    let route = |spec: &str| {
        format!(
            "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: a}}\n{spec}\n"
        )
    };
    for (spec, told) in [
        (
            "",
            "a.yaml:1:1: spec is missing: write spec: {rules: [{backends: [{service: finance, port: 8000}]}]}",
        ),
        (
            "spec: {}",
            "a.yaml:4:7: spec.rules is missing: write rules: [{backends: [{service: finance, port: 8000}]}]",
        ),
        (
            "spec: {rules: []}",
            "a.yaml:4:15: spec.rules has 0 entries: write at least 1, for example rules: [{backends: [{service: finance, port: 8000}]}]",
        ),
        (
            "spec: {rules: [{backends: []}]}",
            "a.yaml:4:27: spec.rules[0].backends has 0 entries: write at least 1, for example backends: [{service: finance, port: 8000}]",
        ),
        (
            "spec: {class: \"\", rules: [{backends: [{service: a, port: 1}]}]}",
            "a.yaml:4:15: spec.class is empty: write at least 1 character, or leave it out",
        ),
    ] {
        let folder = folder(&[("a.yaml", &route(spec))]);
        assert_eq!(problems(folder.path()), [told]);
    }
}

#[test]
fn a_bare_variable_in_a_flow_mapping_is_told_how_to_be_written() {
    let folder = folder(&[("a.yaml", "metadata: {name: ${NAME}}\n")]);
    let told = problems(folder.path());
    assert!(told[0].ends_with("between { and } a variable needs quotes: \"${NAME}\""), "{told:?}");
}

#[test]
fn objects_need_names_of_their_own() {
    let folder =
        folder(&[("a.yaml", GOOD), ("b.yaml", GOOD), ("c.yaml", &GOOD.replace("{name: a}", "{}"))]);
    let first = folder.path().join("a.yaml");
    assert_eq!(
        problems(folder.path()),
        [
            format!("b.yaml:3:18: ServiceRoute default/a stands twice, first in {}:1: remove one, or give it another name", first.display()).replace(&format!("{}/", folder.path().display()), ""),
            "c.yaml:3:11: metadata.name is missing: write metadata: {name: finance}".to_owned(),
        ]
    );
}

#[test]
fn mistakes_in_metadata_and_services_have_their_places() {
    let route =
        GOOD.replace("{name: a}", "{name: A_b, namespace: x.y, lables: {}, annotations: {a: 1}}");
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: 1st\n  creationTimestamp: null\nspec:\n  tpye: ClusterIP\n  ports:\n  - name: http\n    ports: 80\n  - port: eighty\n    appProtocol: 1\n  - port: 70000\n";
    let listed = "apiVersion: v1\nkind: Service\nmetadata: [a]\nspec: {}\n";
    let folder = folder(&[("a.yaml", &route), ("b.yaml", service), ("c.yaml", listed)]);
    assert_eq!(
        problems(folder.path()),
        [
            "a.yaml:3:18: metadata.name is \"A_b\": a name has lower case letters, digits, - and ., beginning and ending with a letter or digit: write finance",
            "a.yaml:3:34: metadata.namespace is \"x.y\": a namespace has lower case letters, digits and -: write market",
            "a.yaml:3:39: unknown field metadata.lables: did you mean labels?",
            "a.yaml:3:68: metadata.annotations.a is 1: write text, in quotes if it looks like a number",
            "b.yaml:4:9: metadata.name is \"1st\": the name of a Service has lower case letters, digits and -, and begins with a letter: write finance-v1",
            "b.yaml:7:3: unknown field spec.tpye: did you mean type?",
            "b.yaml:9:5: spec.ports[0].port is missing: write port: 8000",
            "b.yaml:10:5: unknown field spec.ports[0].ports: did you mean port?",
            "b.yaml:11:11: spec.ports[1].port is \"eighty\": write a whole number",
            "b.yaml:12:18: spec.ports[1].appProtocol is 1: write text, in quotes if it looks like a number",
            "b.yaml:13:11: spec.ports[2].port is 70000: write a number from 1 to 65535",
            "c.yaml:3:11: metadata is a list: write an object with fields",
        ]
    );
}

#[test]
fn folders_that_hold_nothing_or_are_not_there_are_told() {
    let empty = folder(&[("readme.txt", "x"), (".hidden.yaml", "x")]);
    let told = problems(empty.path());
    assert!(told.len() == 1 && told[0].contains("holds no manifests"), "{told:?}");
    let missing = empty.path().join("gone");
    let told = load(&[missing], &nothing).unwrap_err().to_string();
    assert!(told.contains("gone: does not exist: name a folder or a file"), "{told}");
}

#[test]
fn documents_of_others_are_noted_and_skipped() {
    let folder = folder(&[
        ("a.yaml", GOOD),
        (
            "b.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n# nothing\n---\napiVersion: v1\nkind: Service\nmetadata: {name: finance}\nspec: {ports: [{port: 8000}], ipFamilies: [IPv4]}\n",
        ),
    ]);
    let loaded = load(&[folder.path().to_owned()], &nothing).unwrap();
    assert_eq!((loaded.inputs.routes.len(), loaded.inputs.services.len()), (1, 1));
    assert_eq!(loaded.notes.len(), 1);
    assert!(loaded.notes[0].to_string().ends_with(
        "b.yaml:1:1: apps/v1 Deployment is skipped: Fairway reads ServiceRoute, Service, ReferenceGrant, Secret of type kubernetes.io/tls, and ConfigMap with the label fairway.dev/ca"
    ));
}

#[test]
fn variables_come_from_the_environment_then_from_the_folder() {
    let text = GOOD
        .replace("service: finance", "service: \"${NAME:-finance}-${STAGE}\"")
        .replace("[{service", "\n      - service")
        .replace(", port: 8000}]", "\n        port: ${PORT}")
        .replace("spec:\n", "spec:\n  hosts: [\"a.$${x\"]\n");
    let folder =
        folder(&[("a.yaml", &text), (".env", "# settings\nexport STAGE='dev'\nPORT=1 # one\n\n")]);
    let environment = |name: &str| (name == "PORT").then(|| "9000".to_owned());
    let loaded = load(&[folder.path().to_owned()], &environment).unwrap();
    let route = loaded.inputs.routes.values().next().unwrap();
    let spec = route.spec().unwrap();
    let backend = serde_json::to_value(&spec.rules[0].backends[0]).unwrap();
    assert_eq!(backend, serde_json::json!({ "service": "finance-dev", "port": 9000 }));
    assert_eq!(spec.hosts, ["a.${x"]);
    std::fs::write(folder.path().join(".env"), "STAGE=dev\nnot a setting\n").unwrap();
    let told = load(&[folder.path().to_owned()], &environment).unwrap_err().to_string();
    assert!(told.ends_with(".env:2:1: not a setting: write NAME=value"), "{told}");
}

#[test]
fn documents_that_are_not_read_keep_their_variables() {
    let script = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n  run.sh: |\n    echo ${UNSET} ${1%.*} ${\n";
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  data: {a: \"${UNSET}\"}\n- apiVersion: v1\n  kind: Service\n  metadata: {name: \"${NAME:-listed}\"}\n  spec: {ports: [{port: \"${PORT:-80}\"}]}\n";
    let folder = folder(&[("a.yaml", GOOD), ("b.yaml", script), ("c.yaml", list)]);
    let loaded = load(&[folder.path().to_owned()], &nothing).unwrap();
    assert_eq!(loaded.notes.len(), 2);
    let (id, service) = loaded.inputs.services.iter().next().unwrap();
    assert_eq!((&*id.name, service.ports[0].port), ("listed", 80));
}

#[test]
fn a_quoted_variable_is_what_its_field_wants() {
    let text = GOOD.replace(
        "{service: finance, port: 8000}",
        "{service: \"${N:-8}\", port: \"${P:-9000}\", weight: \"${W:-3}\"}, {service: a, port: \"${Q:-http}\", weight: 1}",
    );
    let folder = folder(&[("a.yaml", &text)]);
    let loaded = load(&[folder.path().to_owned()], &nothing).unwrap();
    let backends = &loaded.inputs.routes.values().next().unwrap().spec().unwrap().rules[0].backends;
    assert_eq!(
        serde_json::to_value(backends).unwrap(),
        serde_json::json!([
            { "service": "8", "port": 9000, "weight": 3 },
            { "service": "a", "port": "http", "weight": 1 },
        ])
    );
    std::fs::write(folder.path().join("a.yaml"), text.replace("W:-3", "W:-x")).unwrap();
    assert_eq!(
        problems(folder.path()),
        ["a.yaml:6:67: spec.rules[0].backends[0].weight is \"x\": write a whole number"]
    );
}

#[test]
fn settings_are_read_as_shells_read_them() {
    let text = "A=x # c\nB='x'\nC=\"x\" # c\nD=\"a # b\"\t# c\nE=a#b\nF='it's'\n";
    let (values, problems) = super::expand::parse_env_file(text);
    assert_eq!(problems, []);
    let values: Vec<&str> = values.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["x", "x", "x", "a # b", "a#b", "it's"]);
}

#[test]
fn fields_are_found_in_their_files() {
    let folder = folder(&[("a.yaml", GOOD)]);
    let loaded = load(&[folder.path().to_owned()], &nothing).unwrap();
    let id = loaded.inputs.routes.keys().next().unwrap();
    let place = |field: &str| loaded.locate(id, field).map(|(_, line, column)| (line, column));
    assert_eq!(place("spec.rules[0].backends[0].port"), Some((6, 43)));
    assert_eq!(place("spec.rules[0].backends[0].gone"), Some((6, 18)));
    assert_eq!(place("spec.rules[7]"), Some((6, 5)));
}

async fn next(follow: &mut Follow<fn(&str) -> Option<String>>) -> FollowEvent {
    tokio::time::timeout(std::time::Duration::from_secs(20), follow.next()).await.unwrap()
}

fn follow(paths: Vec<PathBuf>) -> Follow<fn(&str) -> Option<String>> {
    let inputs = load(&paths, &nothing).unwrap().inputs;
    Follow::new(paths, nothing, inputs)
}

#[tokio::test]
async fn changes_are_told_and_bad_ones_are_not_taken() {
    let folder = folder(&[("a.yaml", GOOD)]);
    let mut follow = follow(vec![folder.path().to_owned()]);
    std::fs::write(folder.path().join("b.yaml"), GOOD.replace("name: a", "name: b")).unwrap();
    let FollowEvent::Good(loaded) = next(&mut follow).await else { panic!("good") };
    assert_eq!(loaded.inputs.routes.len(), 2);
    // As editors write: beside it, then renamed over it.
    let other = folder.path().join(".a.yaml.swp");
    std::fs::write(&other, "x: [").unwrap();
    std::fs::rename(&other, folder.path().join("a.yaml")).unwrap();
    let FollowEvent::Bad(errors) = next(&mut follow).await else { panic!("bad") };
    assert_eq!(errors.problems.len(), 1);
    std::fs::write(folder.path().join("a.yaml"), GOOD).unwrap();
    let FollowEvent::Good(again) = next(&mut follow).await else { panic!("good again") };
    assert_eq!(again.inputs.routes.len(), 2);
    for (id, route) in &again.inputs.routes {
        assert!(std::sync::Arc::ptr_eq(route, &loaded.inputs.routes[id]), "{id} is the same value");
    }
}

#[tokio::test]
async fn an_edit_before_following_began_is_told() {
    // One level deeper than other tests, whose folders would be events beside ours.
    let parent = folder(&[]);
    let path = parent.path().join("routes");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("a.yaml"), GOOD).unwrap();
    let inputs = load(std::slice::from_ref(&path), &nothing).unwrap().inputs;
    std::fs::write(path.join("a.yaml"), GOOD.replace("8000", "9000")).unwrap();
    let mut follow: Follow<fn(&str) -> Option<String>> = Follow::new(vec![path], nothing, inputs);
    let FollowEvent::Good(loaded) = next(&mut follow).await else { panic!("good") };
    let route = loaded.inputs.routes.values().next().unwrap();
    assert_eq!(
        serde_json::to_value(&route.spec().unwrap().rules[0].backends[0].port).unwrap(),
        9000
    );
}

#[test]
fn a_link_that_leads_nowhere_is_a_problem() {
    let folder = folder(&[("a.yaml", GOOD)]);
    std::os::unix::fs::symlink("gone/b.yaml", folder.path().join("b.yaml")).unwrap();
    std::fs::create_dir(folder.path().join("folder.yaml")).unwrap();
    assert_eq!(
        problems(folder.path()),
        ["b.yaml: is a link to gone/b.yaml, which is not there: put it there, or remove the link"]
    );
}

#[tokio::test]
async fn a_mounted_config_map_is_swapped_at_once() {
    let folder = folder(&[]);
    let version = |name: &str, text: &str| {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("a.yaml"), text).unwrap();
    };
    version("..one", GOOD);
    version("..two", &GOOD.replace("8000", "9000"));
    let link =
        |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
    link("..one", "..data");
    link("..data/a.yaml", "a.yaml");
    let mut follow = follow(vec![folder.path().to_owned()]);
    link("..two", "..data_tmp");
    std::fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    let FollowEvent::Good(loaded) = next(&mut follow).await else { panic!("good") };
    let route = loaded.inputs.routes.values().next().unwrap();
    assert_eq!(
        serde_json::to_value(&route.spec().unwrap().rules[0].backends[0].port).unwrap(),
        9000
    );
}

#[tokio::test]
async fn a_folder_that_is_made_anew_is_followed_again() {
    let parent = folder(&[]);
    let path = parent.path().join("routes");
    let make = |text: &str| {
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("a.yaml"), text).unwrap();
    };
    make(GOOD);
    let mut follow = follow(vec![path.clone()]);
    std::fs::remove_dir_all(&path).unwrap();
    let FollowEvent::Bad(_) = next(&mut follow).await else { panic!("gone") };
    make(&GOOD.replace("8000", "9000"));
    let FollowEvent::Good(loaded) = next(&mut follow).await else { panic!("back") };
    std::fs::write(path.join("a.yaml"), GOOD).unwrap();
    let FollowEvent::Good(again) = next(&mut follow).await else { panic!("followed") };
    assert!(loaded.inputs.routes != again.inputs.routes);
}

#[test]
fn grants_are_read_as_strictly_as_routes() {
    let grant = |spec: &str| {
        format!(
            "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: g, namespace: shared}}\n{spec}"
        )
    };
    let route = "{group: fairway.dev, kind: ServiceRoute, namespace: ns}";
    let good = grant(&format!("spec: {{from: [{route}], to: [{{group: \"\", kind: Service}}]}}\n"));
    let read = folder(&[("a.yaml", GOOD), ("g.yaml", &good)]);
    let loaded = load(&[read.path().to_owned()], &nothing).unwrap();
    assert_eq!((loaded.inputs.grants.len(), loaded.notes.len()), (1, 0));
    let service = fairway_snapshot::ObjectId::new("shared", "any");
    assert!(loaded.inputs.permitted("ns", &service) && !loaded.inputs.permitted("b", &service));
    for (spec, told) in [
        ("spec: {form: 1}\n", "g.yaml:4:8: unknown field spec.form: did you mean from?"),
        (
            "spec: {from: [], to: 1}\n",
            "g.yaml:4:14: spec.from has 0 entries: write at least 1, for example from: [{group: fairway.dev, kind: ServiceRoute, namespace: market}]",
        ),
        (
            "spec: {from: [{group: a}], to: [{}]}\n",
            "g.yaml:4:15: spec.from[0].kind is missing: write kind: ServiceRoute or Service",
        ),
        (
            "",
            "g.yaml:1:1: spec is missing: write spec: {from: [{group: fairway.dev, kind: ServiceRoute, namespace: market}], to: [{group: \"\", kind: Service, name: finance}]}",
        ),
    ] {
        let read = folder(&[("a.yaml", GOOD), ("g.yaml", &grant(spec))]);
        let problems = problems(read.path());
        assert!(problems.iter().any(|problem| problem == told), "{spec}: {problems:?}");
    }
}
