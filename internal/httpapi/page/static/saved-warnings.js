// What the API had to say of a report when it was saved, such as that Tableau was
// too slow for a check. The report's page shows it until it is left.

let noted = { id: "", warnings: [] };

export function noteSaved(id, warnings) {
  noted = { id, warnings };
}

// takeSaved gives it once.
export function takeSaved(id) {
  if (noted.id !== id) return [];
  const { warnings } = noted;
  noted = { id: "", warnings: [] };
  return warnings;
}
