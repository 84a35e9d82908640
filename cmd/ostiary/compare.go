package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
)

type comparisonObject struct {
	Name       string  `json:"name"`
	Revision   *uint64 `json:"revision"`
	Differs    bool    `json:"differs"`
	EmailsOnly bool    `json:"emails_only"`
	Digest     string  `json:"digest"`
	Own        string  `json:"own_digest"`
	WhyNot     *string `json:"why_not"`
}

func nodeCompare(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:   "compare",
		Short: "Compare what the other nodes hold with what this node holds",
		Long: "Compare what the other nodes and edges hold with what this node holds, at a revision that both have held:\n" +
			"by a digest over all records. Nodes do that by themselves all the time; this waits for each node's next word,\n" +
			"some seconds at most. It ends with 1 if one differs.",
		Example: "  ostiary node compare",
		Args:    takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			texts, err := c.list(cmd.Context(), "/v2/operator/comparison", nil, everything)
			if err != nil {
				return err
			}
			all, err := decodeAll[comparisonObject](texts)
			if err != nil {
				return err
			}
			if to.json {
				err = printList(cmd.OutOrStdout(), texts)
			} else {
				t := newTable("NODE", "REVISION", "OUTCOME")
				for _, one := range all {
					t.row(plain(one.Name), one.at(), one.outcome())
				}
				t.print(cmd.OutOrStdout())
			}
			differ := 0
			for _, one := range all {
				if one.Differs {
					differ++
				}
			}
			if err == nil && differ > 0 {
				err = fmt.Errorf("%s what this node does not", count(differ, "node holds", "nodes hold"))
			}
			return err
		}),
	}
}

func (c comparisonObject) at() string {
	if c.Revision == nil {
		return "-"
	}
	return strconv.FormatUint(*c.Revision, 10)
}

func (c comparisonObject) outcome() string {
	switch {
	case c.Differs && c.EmailsOnly:
		return "differs in e-mails: " + c.Digest + ", and here " + c.Own
	case c.Differs:
		return "differs: " + c.Digest + ", and here " + c.Own
	case c.WhyNot != nil:
		return "not compared: " + plain(*c.WhyNot)
	case c.EmailsOnly:
		return "same but for e-mails, which may be a moment early"
	}
	return "same: " + c.Digest
}
