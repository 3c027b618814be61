// Package web makes the pages of the local endpoint, for a technician with a phone or a laptop.
//
// The gateway makes the pages. They need no JavaScript, and load nothing from other servers: a script
// only keeps them up to date. The pages read the same types as the API (package api). If a part cannot be read, the
// page names this part, and shows the rest. Package status serves the pages, and checks the access.
//
// In reading order:
//
//   - site.go: what the pages need, and the table of their addresses
//   - frame.go, query.go: what all pages have in common; html.go: pieces that several pages show
//   - overview.go, values.go, object.go, triggers.go (filter.go), trigger.go, system.go, doctor.go, gaps.go,
//     setaside.go, logs.go, licences.go: the data of one page, or of one part of a page, each
//   - overview_html.go, values_html.go, object_html.go, triggers_html.go, trigger_html.go, system_html.go,
//     setaside_html.go, integrations_html.go, form_html.go, trial_html.go: the HTML of these pages; small_html.go: that
//     of the short pages
//   - integrations.go, form.go, trial.go, login.go: the pages that change something; keeper.go: who may change it
//   - paces.go, sparks.go, chart.go: what is computed for the pages
//   - words.go, format.go: states, times and numbers as people read them
//   - assets.go: stylesheet, script and icon, with the hash of their content in the name
package web
