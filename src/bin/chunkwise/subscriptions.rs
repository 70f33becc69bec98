//! Services that chunkwise subscribes to, as the settings name them.

use chunkwise::{
    config::{Config, MqttConfig, MqttProtocol, SourceConfig},
    ingest::{Ingest, MqttSubscription, MqttVersion, Payload, SourceFeed, follow_source, subscribe_mqtt},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Follows all of them until `stop`, and returns once what they have read is written or a few seconds are over.
pub(crate) async fn follow(ingest: Option<&Ingest>, config: &Config, stop: &CancellationToken) {
    let Some(ingest) = ingest else { return };
    let mut subscriptions = JoinSet::new();
    for settings in &config.mqtt {
        subscriptions.spawn(subscribe_mqtt(mqtt(settings, config), ingest.clone(), stop.clone()));
    }
    for settings in &config.source {
        match source(settings, config) {
            Ok(feed) => drop(subscriptions.spawn(follow_source(feed, ingest.clone(), stop.clone()))),
            Err(error) => tracing::error!(error = %error, "a source cannot be followed"),
        }
    }
    while let Some(ended) = subscriptions.join_next().await {
        if let Err(error) = ended {
            tracing::error!(error = %error, "a subscription ended unexpectedly");
        }
    }
}

fn mqtt(settings: &MqttConfig, config: &Config) -> MqttSubscription {
    let payload = match &settings.mapping {
        Some(mapping) => Payload::Json { mapping: mapping.clone(), topic_tags: settings.topic_tags.clone() },
        None => Payload::LineProtocol(settings.precision.unwrap_or_default()),
    };
    MqttSubscription {
        url: settings.url.clone(),
        ca_file: settings.ca_file.clone(),
        version: match settings.version {
            MqttProtocol::V5 => MqttVersion::V5,
            MqttProtocol::V311 => MqttVersion::V311,
        },
        client_id: settings.client_id.clone(),
        username: settings.username.clone(),
        password: settings.password.as_ref().map(|password| password.expose().to_owned()),
        topics: settings.topics.clone(),
        payload,
        namespace: settings.namespace.as_deref().unwrap_or(&config.namespace).into(),
    }
}

fn source(settings: &SourceConfig, config: &Config) -> anyhow::Result<SourceFeed> {
    Ok(SourceFeed {
        url: settings.url()?,
        ca_file: settings.ca_file.clone(),
        subscribe: settings.subscribe.iter().map(|text| text.expose().to_owned()).collect(),
        mapping: settings.mapping.clone(),
        namespace: settings.namespace.as_deref().unwrap_or(&config.namespace).into(),
    })
}
