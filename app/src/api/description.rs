//! The OpenAPI document beside what the routes say of themselves, and the pages that show it. Everything is served from
//! here: nothing is fetched from elsewhere.

use axum::http::{HeaderValue, header};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::PartialSchema;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    ResponseBuilder, SecurityRequirement,
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::problem::{FieldFault, MEDIA_TYPE, Problem};

const ABOUT: &str = "Processes are YAML in git; this API starts them, shows how they stand and takes people's decisions.\n\n\
Errors are `application/problem+json` (RFC 9457): `type` is stable, `errors` has every fault by field. Lists are \
`{items, next}`: go on with `cursor=NEXT` until `next` is null. Times are RFC 3339 in UTC, ids UUIDv7.";

/// What stands above the routes.
pub(super) fn head() -> OpenApi {
    let scheme = SecurityScheme::Http(
        HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The administrator's token: FLOWCTL_API_TOKEN of the server"))
            .build(),
    );
    let info = InfoBuilder::new()
        .title("flowctl")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme("token", scheme)
        .schema("Problem", Problem::schema())
        .schema("FieldFault", FieldFault::schema())
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("token", Vec::<String>::new())]))
        .build()
}

/// Adds to every operation what all of them may answer.
pub(super) fn complete(openapi: &mut OpenApi) {
    let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let answer = |description: &str| {
        RefOr::T(ResponseBuilder::new().description(description).content(MEDIA_TYPE, content()).build())
    };
    for path in openapi.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.post, &mut path.put, &mut path.delete, &mut path.patch];
        for operation in operations.into_iter().flatten() {
            let responses = &mut operation.responses.responses;
            responses
                .entry("401".to_owned())
                .or_insert_with(|| answer("The API is closed, or the token is not the right one"));
            responses.entry("default".to_owned()).or_insert_with(|| answer("Why it was not done"));
        }
    }
}

/// The document and its pages.
pub(super) fn router(openapi: OpenApi) -> Router {
    // The pages bring scripts and styles of their own, all from this server.
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";
    let pages = SwaggerUi::new("/docs").config(Config::from("/openapi.json"));
    let pages = Router::from(pages)
        .layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)));
    Router::new().route("/openapi.json", get(move || std::future::ready(Json(openapi.clone())))).merge(pages)
}
