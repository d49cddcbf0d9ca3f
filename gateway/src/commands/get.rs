//! `fairway get`: one HTTP request as a probe, where the image has neither a shell nor curl.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::control_runtime;
use crate::args::GetArgs;
use crate::{FINDINGS, output};

/// How long one try may take; a probe that hangs tells nothing.
const TRY: Duration = Duration::from_secs(5);
/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_millis(500);
/// What is shown of an answer at most, in bytes.
const SHOWN: usize = 64 * 1024;

pub(crate) fn main(args: &GetArgs) -> anyhow::Result<u8> {
    let runtime = control_runtime()?;
    let code = runtime.block_on(get(args));
    runtime.shutdown_background();
    code
}

async fn get(args: &GetArgs) -> anyhow::Result<u8> {
    let url = address(&args.url)?;
    let client = Client::builder()
        .timeout(TRY)
        .default_headers(headers(&args.header)?)
        .redirect(Policy::none())
        // What it asks is near; a proxy of the environment would answer in its place.
        .no_proxy()
        .build()
        .context("cannot make a client")?;
    let began = Instant::now();
    loop {
        let problem = match ask(&client, &url, args).await {
            Ok(body) => {
                output::line(body.trim_end());
                return Ok(0);
            }
            Err(problem) => problem,
        };
        if began.elapsed() + PAUSE > args.retry_for {
            output::error(&problem);
            return Ok(FINDINGS);
        }
        output::warning(&format!("{problem}; asking again"));
        tokio::time::sleep(PAUSE).await;
    }
}

/// One try: the body of the answer that was expected, or what came instead.
async fn ask(client: &Client, url: &Url, args: &GetArgs) -> Result<String, String> {
    let told = |error: reqwest::Error| {
        let mut text = format!("{url}: {error}");
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        text
    };
    let mut response = client.get(url.clone()).send().await.map_err(told)?;
    let status = response.status();
    let mut body = Vec::new();
    while body.len() < SHOWN {
        let Some(part) = response.chunk().await.map_err(told)? else { break };
        body.extend_from_slice(&part);
    }
    body.truncate(SHOWN);
    let body = String::from_utf8_lossy(&body).into_owned();
    let wanted = match args.expect {
        Some(expected) => status.as_u16() == expected,
        None => status.is_success(),
    };
    if !wanted {
        return Err(answered(url, status, &expected_status(args.expect), &body));
    }
    match &args.contains {
        Some(text) if !body.contains(text.as_str()) => {
            Err(answered(url, status, &format!("a body with {text:?}"), &body))
        }
        _ => Ok(body),
    }
}

fn expected_status(expected: Option<u16>) -> String {
    expected.map_or_else(|| "2xx".to_owned(), |status| status.to_string())
}

fn answered(url: &Url, status: StatusCode, expected: &str, body: &str) -> String {
    format!("{url} answered {}, expected {expected}: {}", status.as_u16(), body.trim_end())
}

/// The address to ask; one without a scheme is meant as http.
fn address(text: &str) -> anyhow::Result<Url> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    match whole.parse::<Url>() {
        Ok(url) if url.scheme() == "http" && url.has_host() => Ok(url),
        _ => bail!("{text:?} cannot be asked: write http://HOST:PORT/PATH"),
    }
}

fn headers(given: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for text in given {
        let read = text.split_once(':').and_then(|(name, value)| {
            let name: HeaderName = name.trim().parse().ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let Some((name, value)) = read else {
            // The name alone: what stands behind it may be a credential.
            let name = text.split([':', ' ', '=']).next().unwrap_or_default();
            bail!("--header {name:?} is not a header: write --header 'host: api.example.com'");
        };
        headers.append(name, value);
    }
    Ok(headers)
}
