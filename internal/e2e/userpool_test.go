package e2e_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vizpost/vizpost/internal/aws/gateway"
)

// userPool stands in for a user pool of Cognito with its sign-in page: it
// recognises everybody who comes as the same user, or refuses as it is told.
type userPool struct {
	*httptest.Server
	t      *testing.T
	key    *rsa.PrivateKey
	home   string        // the page's address, the only one that it leads back to
	clock  time.Duration // of the pool's and vizpost's clocks, from the browser's
	mu     sync.Mutex
	next   behaviour
	codes  map[string]authorization
	asks   []string // what it was asked for
	valid  map[string]bool
	serial int
}

// behaviour is what the user pool does with whoever comes.
type behaviour struct {
	user        string
	groups      []string
	lasts       int           // seconds that access tokens last; 0: an hour
	shift       time.Duration // of the times in its tokens, from vizpost's
	refuse      url.Values    // what the sign-in page answers instead of a code
	refuseToken object        // what the exchange answers instead of tokens
	otherNonce  bool
	otherState  bool
	otherAPI    bool // its access tokens are for another client
	noRefresh   bool // refresh tokens are taken no longer
	down        bool // the exchange does not answer
}

type authorization struct {
	challenge, nonce, redirect string
	used                       bool
}

const (
	poolClient = "1example23456789"
	poolIssuer = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Example"
)

func newUserPool(t *testing.T) *userPool {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &userPool{t: t, key: key, codes: map[string]authorization{}, valid: map[string]bool{}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /oauth2/authorize", p.authorize)
	routes.HandleFunc("POST /oauth2/token", p.token)
	routes.HandleFunc("POST /oauth2/revoke", p.revoke)
	routes.HandleFunc("GET /logout", p.logout)
	p.Server = httptest.NewTLSServer(routes)
	t.Cleanup(p.Close)
	return p
}

// does sets what happens next.
func (p *userPool) does(b behaviour) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = b
}

// asked gives what was asked since the last time, in order.
func (p *userPool) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asks := p.asks
	p.asks = nil
	return asks
}

func (p *userPool) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	p.asks = append(p.asks, "authorize "+q.Get("identity_provider"))
	if q.Get("response_type") != "code" || q.Get("client_id") != poolClient || q.Get("redirect_uri") != p.home+"/" || q.Get("scope") != "openid email" ||
		q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("state")) < 20 || len(q.Get("nonce")) < 20 {
		p.t.Errorf("the page asks for %v", q)
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	back := maps.Clone(p.next.refuse)
	if back == nil {
		code := rand.Text()
		p.codes[code] = authorization{challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), redirect: q.Get("redirect_uri")}
		back = url.Values{"code": {code}}
	}
	back.Set("state", q.Get("state"))
	if p.next.otherState {
		back.Set("state", rand.Text())
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (p *userPool) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Access-Control-Allow-Origin", "*")
	refuse := func(o object) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(o)
	}
	form := func(name string) string { return r.PostFormValue(name) }
	p.asks = append(p.asks, form("grant_type"))
	nonce := ""
	switch {
	case p.next.down:
		panic(http.ErrAbortHandler)
	case form("client_id") != poolClient || r.Header.Get("Authorization") != "":
		refuse(object{"error": "invalid_client"})
		return
	case form("grant_type") == "authorization_code":
		a, ok := p.codes[form("code")]
		sum := sha256.Sum256([]byte(form("code_verifier")))
		if !ok || a.used || form("redirect_uri") != a.redirect || base64.RawURLEncoding.EncodeToString(sum[:]) != a.challenge {
			refuse(object{"error": "invalid_grant"})
			return
		}
		a.used = true
		p.codes[form("code")] = a
		nonce = a.nonce
	case form("grant_type") == "refresh_token":
		if !p.valid[form("refresh_token")] || p.next.noRefresh {
			refuse(object{"error": "invalid_grant", "error_description": "Refresh Token has been revoked"})
			return
		}
	default:
		refuse(object{"error": "unsupported_grant_type"})
		return
	}
	if p.next.refuseToken != nil {
		refuse(p.next.refuseToken)
		return
	}
	lasts := p.next.lasts
	if lasts == 0 {
		lasts = 3600
	}
	now := time.Now().Add(p.clock + p.next.shift)
	p.serial++
	claims := object{"sub": "7d4e5a9c-30c1-70b2-0c2f-5d1f6a8e9b10", "iss": poolIssuer, "iat": now.Unix(), "exp": now.Add(time.Duration(lasts) * time.Second).Unix(), "jti": p.serial}
	id := object{"token_use": "id", "aud": poolClient, "email": p.next.user, "cognito:username": "7d4e5a9c-30c1-70b2-0c2f-5d1f6a8e9b10"}
	if nonce != "" {
		id["nonce"] = nonce
	}
	if p.next.otherNonce {
		id["nonce"] = rand.Text()
	}
	access := object{"token_use": "access", "client_id": poolClient, "scope": "openid email", "username": "7d4e5a9c-30c1-70b2-0c2f-5d1f6a8e9b10",
		"vizpost_name": p.next.user, "cognito:groups": p.next.groups}
	if p.next.otherAPI {
		access["client_id"] = "another"
	}
	maps.Copy(id, claims)
	maps.Copy(access, claims)
	answer := object{"access_token": p.sign(access), "id_token": p.sign(id), "token_type": "Bearer", "expires_in": lasts}
	if form("grant_type") == "authorization_code" {
		refresh := rand.Text()
		p.valid[refresh] = true
		answer["refresh_token"] = refresh
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	_ = json.NewEncoder(w).Encode(answer)
}

func (p *userPool) revoke(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.Header().Set("Access-Control-Allow-Origin", "*")
	if r.PostFormValue("client_id") == poolClient && p.valid[r.PostFormValue("token")] {
		delete(p.valid, r.PostFormValue("token"))
		p.asks = append(p.asks, "revoke")
	}
}

func (p *userPool) logout(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	p.asks = append(p.asks, "logout")
	if q.Get("client_id") != poolClient || q.Get("logout_uri") != p.home+"/" {
		p.t.Errorf("the page signs out with %v", q)
	}
	http.Redirect(w, r, q.Get("logout_uri"), http.StatusFound)
}

// sign makes a JSON Web Token, signed by RS256.
func (p *userPool) sign(claims object) string {
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			p.t.Error(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(object{"alg": "RS256", "kid": "one"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// claimsOf checks a token as API Gateway's authorizer does.
func (p *userPool) claimsOf(token string) (object, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("it is no token")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return nil, err
	}
	if err := rsa.VerifyPKCS1v15(&p.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return nil, err
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var claims object
	if err := json.Unmarshal(b, &claims); err != nil {
		return nil, err
	}
	end, _ := claims["exp"].(float64)
	if claims["iss"] != poolIssuer || claims["client_id"] != poolClient && claims["aud"] != poolClient || time.Now().Add(p.clock).Unix() > int64(end) {
		return nil, errors.New("it is another's, or over")
	}
	return claims, nil
}

// apiGateway does what API Gateway does between the browser and the functions
// api and public.
func (p *userPool) apiGateway(api, public http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		headers := object{"host": r.Host}
		for name, values := range r.Header {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
		about := object{"http": object{"method": r.Method, "sourceIp": "127.0.0.1"}, "stage": "$default"}
		function := public
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			function = api
			claims, err := p.claimsOf(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
			if err != nil {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"message":"Unauthorized"}`)
				return
			}
			for name, value := range claims {
				claims[name] = inText(value)
			}
			about["authorizer"] = object{"jwt": object{"claims": claims}}
		}
		event, err := json.Marshal(object{"version": "2.0", "rawPath": r.URL.EscapedPath(), "rawQueryString": r.URL.RawQuery, "headers": headers,
			"body": base64.StdEncoding.EncodeToString(body), "isBase64Encoded": true, "requestContext": about})
		if err != nil {
			p.t.Error(err)
		}
		out, err := gateway.Handler(function)(r.Context(), event)
		if err != nil {
			http.Error(w, `{"message":"Internal Server Error"}`, http.StatusInternalServerError)
			return
		}
		for name, value := range out.Headers {
			w.Header().Set(name, value)
		}
		w.Header().Set("Date", time.Now().Add(p.clock).UTC().Format(http.TimeFormat))
		text := []byte(out.Body)
		if out.IsBase64Encoded {
			if text, err = base64.StdEncoding.DecodeString(out.Body); err != nil {
				p.t.Error(err)
			}
		}
		w.WriteHeader(out.StatusCode)
		_, _ = io.Copy(w, bytes.NewReader(text))
	})
}

// inText gives a claim as API Gateway does.
func inText(v any) string {
	switch v := v.(type) {
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, fmt.Sprint(item))
		}
		return "[" + strings.Join(items, " ") + "]"
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprint(v)
}

// has reports whether something was asked.
func has(log []string, what string) bool { return slices.Contains(log, what) }
