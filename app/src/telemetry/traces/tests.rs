//! What the variables of the specification set up.

use std::collections::BTreeMap;

use super::TraceSettings;

type Wrong = (&'static str, &'static str);
/// Variables, and the address that they give, or the name of the wrong one.
type Case<'c> = (&'c [(&'c str, &'c str)], Result<Option<&'c str>, &'c str>);

fn read(variables: &[(&str, &str)]) -> Result<Option<TraceSettings>, Wrong> {
    let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
    TraceSettings::read(|name| variables.get(name).map(|text| (*text).to_owned()))
}

#[test]
fn the_variables_of_the_specification_name_a_collector() {
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/otlp");
    let cases: [Case<'_>; 12] = [
        (&[], Ok(None)),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")], Ok(None)),
        (&[base], Ok(Some("http://127.0.0.1:4318/v1/traces"))),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://a.example/otlp/")], Ok(Some("https://a.example/otlp/v1/traces"))),
        (&[base, whole], Ok(Some("https://traces.example/otlp"))),
        (&[base, ("OTEL_SDK_DISABLED", "TRUE")], Ok(None)),
        (&[base, ("OTEL_TRACES_EXPORTER", "none")], Ok(None)),
        (&[base, ("OTEL_TRACES_EXPORTER", "otlp")], Ok(Some("http://127.0.0.1:4318/v1/traces"))),
        (&[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")], Ok(Some("http://127.0.0.1:4318/v1/traces"))),
        (&[base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], Err("OTEL_EXPORTER_OTLP_PROTOCOL")),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")], Err("OTEL_EXPORTER_OTLP_ENDPOINT")),
        (&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://a")], Err("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")),
    ];
    for (variables, expected) in cases {
        let read = read(variables).map_err(|(name, _)| name);
        let found =
            read.as_ref().map(|settings| settings.as_ref().map(|it| it.endpoint.as_str())).map_err(|name| *name);
        assert_eq!(found, expected, "{variables:?}");
    }
    let settings = read(&[base]).unwrap().unwrap();
    assert_eq!((settings.content, settings.service.as_str()), (false, "flowctl"));
    let content = ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true");
    let settings = read(&[base, content, ("OTEL_SERVICE_NAME", "flows")]).unwrap().unwrap();
    assert_eq!((settings.content, settings.service.as_str()), (true, "flows"));
}
