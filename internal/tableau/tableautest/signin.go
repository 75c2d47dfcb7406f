package tableautest

import "net/http"

// signInRequest is the body of a sign-in, in JSON or XML.
type signInRequest struct {
	Credentials *struct {
		Name        string `json:"name" xml:"name,attr"`
		Password    string `json:"password" xml:"password,attr"`
		TokenName   string `json:"personalAccessTokenName" xml:"personalAccessTokenName,attr"`
		TokenSecret string `json:"personalAccessTokenSecret" xml:"personalAccessTokenSecret,attr"`
		JWT         string `json:"jwt" xml:"jwt,attr"`
		Site        struct {
			ContentURL string `json:"contentUrl" xml:"contentUrl,attr"`
		} `json:"site" xml:"site"`
		User *struct {
			ID string `json:"id" xml:"id,attr"`
		} `json:"user" xml:"user"`
	} `json:"credentials" xml:"credentials"`
}

const malformed = "Payload is either malformed or incomplete"

func (c *call) signIn() reply {
	s := c.server
	out := c.trySignIn()
	if out.status == http.StatusOK {
		s.stats.signedIn()
	} else {
		s.stats.signInFailed()
	}
	return out
}

func (c *call) trySignIn() reply {
	var in signInRequest
	if refused := c.readBody(&in); refused.status != 0 {
		return refused
	}
	if in.Credentials == nil {
		return failure(400000, malformed)
	}
	given := in.Credentials
	if given.JWT != "" {
		return failure(401001, "Error signing in to %s (10084)", c.server.kind)
	}
	// A server that knows tokens takes them in a sign-in of any version: Tableau's
	// Python client signs in as version 2.4 before it asks for the newest one.
	if c.server.version.before(version{3, 6}) {
		given.TokenName, given.TokenSecret = "", ""
	}
	withToken, withPassword := given.TokenName != "" || given.TokenSecret != "", given.Name != "" || given.Password != ""
	complete := given.TokenName != "" && given.TokenSecret != "" || given.Name != "" && given.Password != ""
	if withToken == withPassword || !complete {
		return failure(400000, malformed)
	}
	if given.User != nil {
		return failure(403004, "Impersonation is not allowed for this user.")
	}
	done, ok := c.server.accounts.signIn(credentials{
		user: given.Name, password: given.Password,
		tokenName: given.TokenName, tokenSecret: given.TokenSecret,
	}, c.server.lookUpSite(given.Site.ContentURL, "contentUrl"), c.server.clock())
	if !ok {
		return failure(401001, "Error signing in to %s", c.server.kind)
	}
	if done.ended {
		c.server.stats.sessionEnded()
	}
	return answer(done.node())
}

func (c *call) signOut() reply {
	c.server.accounts.end(c.session.token)
	c.server.stats.signedOut()
	return reply{status: http.StatusNoContent}
}

func (c *call) currentSession() reply {
	p := c.session.person
	return answer(element("session").add(
		element("site", "id", c.site.ID, "name", c.site.Name, "contentUrl", c.site.ContentURL),
		element("user", "id", p.id, "name", p.name, "siteRole", c.session.role()),
	))
}
