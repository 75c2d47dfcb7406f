// Package functions holds vizpost's Lambda functions, one folder each, which
// only put together what is in internal. The tests here run them as they are
// deployed: as binaries under Lambda's Runtime API, with the settings and the
// permissions of template.yaml.
package functions
