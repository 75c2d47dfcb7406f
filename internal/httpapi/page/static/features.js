// What this vizpost can do, as its own description says.

let asked;

// features gives the formats that a report can have, and whether it takes whole
// workbooks, proof of filters, and a language.
export function features() {
  asked ||= fetch("/openapi.json").then((answer) => answer.json()).then((api) => {
    const body = api.paths["/v1/reports"].post.requestBody.content["application/json"].schema;
    const of = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema);
    const content = of(of(of(body).properties.content).items).properties;
    return { formats: of(content.format).enum, workbooks: "scope" in content, proof: "require_filter_proof" in content, languages: "language" in content };
  }).catch(() => {
    asked = undefined; // next time anew
    return { formats: ["png", "pdf", "csv", "xlsx"], workbooks: false, proof: false, languages: false };
  });
  return asked;
}
