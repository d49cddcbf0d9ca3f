//! The node's certificates: an authority of its own, thrown away with the node.

use std::path::Path;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::config::{ADDRESS, NAMESPACE, write};

/// A certificate: its file, its user, its groups, and the hosts that it may speak for.
struct Wanted<'a> {
    file: &'a str,
    user: &'a str,
    group: Option<&'a str>,
    hosts: &'a [&'a str],
}

/// Writes every certificate and key of the node.
pub(super) fn write_all(folder: &Path) -> anyhow::Result<()> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "fairway-node");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    write(&folder.join("ca.crt"), &authority.pem())?;
    let node = format!("system:node:{NAMESPACE}");
    let server = [
        ADDRESS,
        "10.96.0.1",
        "127.0.0.1",
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let user = |file, user, group, hosts| Wanted { file, user, group, hosts };
    for wanted in [
        user("server", "kube-apiserver", None, &server[..]),
        user("kubelet-server", node.as_str(), None, &[ADDRESS, NAMESPACE]),
        user("admin", "admin", Some("system:masters"), &[]),
        user("apiserver-kubelet", "kube-apiserver", Some("system:masters"), &[]),
        user("controller-manager", "system:kube-controller-manager", None, &[]),
        user("scheduler", "system:kube-scheduler", None, &[]),
        user("proxy", "system:kube-proxy", None, &[]),
        user("kubelet", node.as_str(), Some("system:nodes"), &[]),
    ] {
        issue(&authority, &wanted, folder)
            .with_context(|| format!("certificate {}", wanted.file))?;
    }
    let tokens = KeyPair::generate()?;
    write(&folder.join("sa.key"), &tokens.serialize_pem())?;
    write(&folder.join("sa.pub"), &tokens.public_key_pem())
}

fn issue(
    authority: &Issuer<'_, KeyPair>,
    wanted: &Wanted<'_>,
    folder: &Path,
) -> anyhow::Result<()> {
    let hosts: Vec<String> = wanted.hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, wanted.user);
    if let Some(group) = wanted.group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, authority)?;
    write(&folder.join(format!("{}.crt", wanted.file)), &certificate.pem())?;
    write(&folder.join(format!("{}.key", wanted.file)), &key.serialize_pem())
}
