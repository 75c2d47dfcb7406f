package tableautest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
)

// switchRequest is the body of a switch to another site, in JSON or XML.
type switchRequest struct {
	Site *struct {
		ContentURL string `json:"contentUrl" xml:"contentUrl,attr"`
	} `json:"site" xml:"site"`
}

// switchSite signs in to another site with the session at hand, which ends.
func (c *call) switchSite() reply {
	var in switchRequest
	if refused := c.readBody(&in); refused.status != 0 {
		return refused
	}
	if in.Site == nil {
		return failure(400000, malformed)
	}
	site := c.server.lookUpSite(in.Site.ContentURL, "contentUrl")
	switch {
	case site == nil || c.session.person.roles[site.ID] == "":
		return failure(401003, "Error switching to the site '%s'.", in.Site.ContentURL)
	case site.ID == c.site.ID:
		return failure(403070, "The session is already signed in to the site.")
	}
	done, ok := c.server.accounts.switchSite(c.session.token, site, c.server.clock())
	if !ok {
		return failure(401002, "Invalid authentication credentials were provided.")
	}
	return answer(done.node())
}

// readBody decodes the body of a request in the language that it names, or in
// XML. The reply has a status where it cannot.
func (c *call) readBody(into any) reply {
	const maxBody = 1 << 20
	body, err := io.ReadAll(io.LimitReader(c.request.Body, maxBody))
	if err != nil {
		return failure(400000, malformed)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return failure(401009, "Login error")
	}
	sent, wanted := language(c.request.Header.Get("Content-Type")), language(c.request.Header.Get("Accept"))
	if sent != "" && wanted != "" && sent != wanted {
		return failure(406000, "The Accept header does not agree with the Content-Type of the request.")
	}
	if sent == "json" {
		err = json.Unmarshal(body, into)
	} else {
		err = xml.Unmarshal(body, into)
	}
	if err != nil {
		return failure(400000, malformed)
	}
	return reply{}
}

// node is a sign-in's answer.
func (d signedIn) node() *node {
	n := element("credentials", "token", d.session.token)
	if d.remaining > 0 {
		n.attrs = append(n.attrs, attr{"estimatedTimeToExpiration", daysHoursMinutes(d.remaining)})
	}
	return n.add(
		element("site", "id", d.session.site.ID, "contentUrl", d.session.site.ContentURL),
		element("user", "id", d.session.person.id),
	)
}
