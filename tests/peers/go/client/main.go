// client URL: calls ../server there, over HTTP/1.1 and then over HTTP/2, and says `ok` of each thing.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const large = 100_000_000

type peer struct {
	base   string
	client *http.Client
}

func main() {
	failed := false
	for _, version := range []string{"h1", "h2c"} {
		protocols := new(http.Protocols)
		protocols.SetHTTP1(version == "h1")
		protocols.SetUnencryptedHTTP2(version == "h2c")
		p := peer{os.Args[1], &http.Client{Transport: &http.Transport{Protocols: protocols}}}
		for _, check := range []struct {
			name string
			run  func() error
		}{
			{"get", p.get}, {"echo with trailers", p.echo}, {"both ways at once", p.duplex}, {"large down", p.down},
			{"large up", p.up}, {"cancel", p.cancel}, {"deadline", p.deadline}, {"events", p.events},
			{"many at once", p.many}, {"expect continue", p.expectContinue}, {"head", p.head},
		} {
			if err := check.run(); err != nil {
				failed = true
				fmt.Printf("FAILED %s %s: %v\n", version, check.name, err)
			} else {
				fmt.Printf("ok %s %s\n", version, check.name)
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}

func (p peer) text(path string) (string, error) {
	response, err := p.client.Get(p.base + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func wants(got, want any) error {
	if got != want {
		return fmt.Errorf("%v in the place of %v", got, want)
	}
	return nil
}

func (p peer) get() error {
	response, err := p.client.Get(p.base + "/version")
	if err != nil {
		return err
	}
	body, _ := io.ReadAll(response.Body)
	if !strings.HasPrefix(string(body), "HTTP/") {
		return fmt.Errorf("answered %q", body)
	}
	return wants(response.StatusCode, 200)
}

func (p peer) echo() error {
	request, _ := http.NewRequest("POST", p.base+"/echo", io.MultiReader(strings.NewReader("hello")))
	request.Trailer = http.Header{"X-Sum": {"5"}}
	request.Header.Set("TE", "trailers")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	told := fmt.Sprint(string(body), response.Trailer.Get("X-Count"), response.Trailer.Get("Back-X-Sum"))
	return wants(told, "hello55")
}

// The answer to one piece is read before the next is sent.
func (p peer) duplex() error {
	reader, writer := io.Pipe()
	request, _ := http.NewRequest("POST", p.base+"/echo", reader)
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	for _, piece := range []string{"one", "two", "three"} {
		writer.Write([]byte(piece))
		back := make([]byte, len(piece))
		if _, err := io.ReadFull(response.Body, back); err != nil {
			return err
		}
		if err := wants(string(back), piece); err != nil {
			return err
		}
	}
	writer.Close()
	_, err = io.ReadAll(response.Body)
	return err
}

func (p peer) down() error {
	response, err := p.client.Get(fmt.Sprintf("%s/bytes?n=%d", p.base, large))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, response.Body)
	if err != nil {
		return err
	}
	return wants(fmt.Sprintf("%d %x", n, hash.Sum(nil)), fmt.Sprintf("%d %x", large, sha256.Sum256(pattern())))
}

func (p peer) up() error {
	body := pattern()
	response, err := p.client.Post(p.base+"/digest", "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, _ := io.ReadAll(response.Body)
	return wants(string(answer), fmt.Sprintf("%d %x <nil>", large, sha256.Sum256(body)))
}

func pattern() []byte {
	all := make([]byte, large)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

// The callee learns that its caller has gone.
func (p peer) cancel() error {
	before, err := p.text("/gone")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	request, _ := http.NewRequestWithContext(ctx, "GET", p.base+"/held", nil)
	if _, err := p.client.Do(request); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("ended with %v", err)
	}
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if after, err := p.text("/gone"); err != nil || after != before {
			return err
		}
	}
	return errors.New("the callee was never told")
}

func (p peer) deadline() error {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, "GET", p.base+"/held", nil)
	if _, err := p.client.Do(request); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ended with %v", err)
	}
	return nil
}

// Each event comes by itself: the first is read while the others are still to be sent.
func (p peer) events() error {
	begun := time.Now()
	response, err := p.client.Get(p.base + "/events")
	if err != nil {
		return err
	}
	first := make([]byte, len("id: 1\ndata: event 1\n\n"))
	if _, err := io.ReadFull(response.Body, first); err != nil {
		return err
	}
	early := time.Since(begun)
	rest, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if late := time.Since(begun); late-early < 300*time.Millisecond {
		return fmt.Errorf("the first came after %v, the last after %v", early, late)
	}
	return wants(strings.Count(string(first)+string(rest), "data: event"), 3)
}

func (p peer) many() error {
	var group sync.WaitGroup
	failures := make(chan error, 1000)
	for range 50 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range 20 {
				text := fmt.Sprint(i)
				response, err := p.client.Post(p.base+"/echo", "text/plain", strings.NewReader(text))
				if err != nil {
					failures <- err
					return
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if err := wants(string(body), text); err != nil {
					failures <- err
				}
			}
		}()
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

func (p peer) expectContinue() error {
	request, _ := http.NewRequest("POST", p.base+"/digest", strings.NewReader("x"))
	request.Header.Set("Expect", "100-continue")
	response, err := p.client.Do(request)
	if err != nil {
		return err
	}
	body, _ := io.ReadAll(response.Body)
	return wants(strings.HasPrefix(string(body), "1 2d71"), true)
}

func (p peer) head() error {
	response, err := p.client.Head(p.base + "/bytes?n=7")
	if err != nil {
		return err
	}
	return wants(response.StatusCode, 200)
}
