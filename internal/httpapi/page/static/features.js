// What this vizpost can do, as its own description says.

let asked;

// features gives the formats that a report can have, and whether it takes whole
// workbooks, filters that are verified, and a language.
export function features() {
  asked ||= fetch("/openapi.json").then((answer) => answer.json()).then((api) => {
    const body = api.paths["/v1/reports"].post.requestBody.content["application/json"].schema;
    const of = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema);
    const content = of(of(of(body).properties.content).items).properties;
    return { formats: of(content.format).enum, workbooks: "scope" in content, verifies: "verify_filters" in content, languages: "language" in content };
  }).catch(() => {
    asked = undefined; // next time anew
    return { formats: ["png", "pdf", "csv", "xlsx"], workbooks: false, verifies: false, languages: false };
  });
  return asked;
}
