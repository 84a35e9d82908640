package api

import (
	"crypto/sha256"
	"errors"
	"net/http"

	"ostiary"
)

// show is a handler that gives one object: call, encode.
func show[T any](get func(*call) (T, error), encode func(*call, T) object) handler {
	return func(c *call) (any, error) {
		one, err := get(c)
		if err != nil {
			return nil, err
		}
		return encode(c, one), nil
	}
}

// list is a handler that gives the objects which the query chooses.
func list[T any](get func(*call) ([]T, error), encode func(*call, T) object) handler {
	return func(c *call) (any, error) {
		q, err := readQuery(c.r.URL.RawQuery, c.document.properties(c.route.gives))
		if err != nil {
			return nil, err
		}
		all, err := get(c)
		if err != nil {
			return nil, err
		}
		objects := make([]object, 0, len(all))
		for _, one := range all {
			if o := encode(c, one); q.keeps(o) {
				objects = append(objects, o)
			}
		}
		page, more := q.page(objects)
		c.more = more
		return page, nil
	}
}

// ask is a handler that reads a body and changes nothing: decode, call, encode.
func ask[In, T any](decode func(*call) In, do func(*call, In) (T, error),
	encode func(*call, T) object,
) handler {
	return func(c *call) (any, error) {
		in := decode(c)
		if err := c.body.done(); err != nil {
			return nil, c.earlier(err)
		}
		one, err := do(c, in)
		if err != nil {
			return nil, err
		}
		return encode(c, one), nil
	}
}

// change is a handler that makes a change: decode, call, encode. Each can be repeated with an
// Idempotency-Key. Its tag is chosen here, since the entry in the log holds it.
func change[In, T any](decode func(*call) In, do func(*call, In) (T, uint64, error),
	encode func(*call, T) object,
) handler {
	return ask(decode, func(c *call, in In) (out T, err error) {
		c.caller.Tag = ostiary.NewUUID()
		if err := c.once(); err != nil {
			return out, c.earlier(err)
		}
		c.caller.Receipt = &c.receipt
		out, c.revision, err = do(c, in)
		return out, err
	}, func(c *call, out T) object {
		o := encode(c, out)
		if c.receipt.Revision != 0 {
			o["_receipt"] = encodeReceipt(c.receipt)
		}
		return o
	})
}

// nothing is what a change decodes that has no fields.
func nothing(*call) struct{} { return struct{}{} }

// earlier gives what the caller learns before that the body or a value is not valid: that the object
// is hidden, or that the caller may not change it (contract 3.2).
func (c *call) earlier(bad error) error {
	if c.route.early == nil {
		return bad
	}
	err := c.route.early(c)
	var refusal *ostiary.Refusal
	if errors.As(err, &refusal) {
		switch refusal.Reason {
		case ostiary.BadValue, ostiary.TooLarge, ostiary.Conflict:
			return bad
		}
	}
	if err != nil {
		return err
	}
	return bad
}

const onceHeader = "Idempotency-Key"

// once reads the Idempotency-Key. It is bound to who calls and on which account, which the operator
// says in a header, to method, path with query, and body.
func (c *call) once() error {
	values := c.r.Header[http.CanonicalHeaderKey(onceHeader)]
	if len(values) == 0 {
		return nil
	}
	key := values[0]
	good := len(values) == 1 && len(key) >= 1 && len(key) <= 255
	for i := range len(key) {
		good = good && key[i] >= ' ' && key[i] <= '~'
	}
	if !good {
		return ostiary.RefuseField(onceHeader, "This is one header of 1 to 255 printable ASCII characters.")
	}
	actor := ostiary.Actor{Operator: c.caller.Operator, Token: c.caller.Token}
	request := c.caller.Account.String() + "\n" + c.r.Method + "\n" +
		c.r.URL.EscapedPath() + "?" + c.r.URL.RawQuery + "\n" + string(c.text)
	c.caller.Once = &ostiary.Once{
		Key:     sha256.Sum256([]byte(string(actor.By()) + "\n" + key)),
		Request: sha256.Sum256([]byte(request)),
	}
	c.caller.Repeated = &c.repeated
	return nil
}
