// Package awsregion knows in which partition of AWS a region lies, and which domain the partition's endpoints have.
//
// The table is that of the AWS SDK for Go (its package awsrulesfn, which only the SDK itself may import). A test
// compares the two, so an update of the SDK that brings a new partition fails the build until the table has it.
package awsregion

import (
	"regexp"
	"slices"
)

// Partition is one of AWS's separate clouds. No identity of one partition is valid in another.
type Partition struct {
	Name    string // second part of every ARN, as in aws-cn
	Domain  string // endpoints end with it: sns.REGION.Domain
	regions string // expression that the partition's regions match
}

// Partitions returns all partitions in the SDK's order, "aws" first.
func Partitions() []Partition {
	return []Partition{
		{"aws", "amazonaws.com", `^(us|eu|ap|sa|ca|me|af|il|mx)\-\w+\-\d+$`},
		{"aws-cn", "amazonaws.com.cn", `^cn\-\w+\-\d+$`},
		{"aws-eusc", "amazonaws.eu", `^eusc\-(de)\-\w+\-\d+$`},
		{"aws-iso", "c2s.ic.gov", `^us\-iso\-\w+\-\d+$`},
		{"aws-iso-b", "sc2s.sgov.gov", `^us\-isob\-\w+\-\d+$`},
		{"aws-iso-e", "cloud.adc-e.uk", `^eu\-isoe\-\w+\-\d+$`},
		{"aws-iso-f", "csp.hci.ic.gov", `^us\-isof\-\w+\-\d+$`},
		{"aws-us-gov", "amazonaws.com", `^us\-gov\-\w+\-\d+$`},
	}
}

// Of returns the partition that a region lies in. A region that no expression matches is taken for one of "aws", as the
// SDK takes it: AWS opens regions under names that are not known yet.
func Of(region string) Partition {
	all := Partitions()
	for _, p := range all {
		if regexp.MustCompile(p.regions).MatchString(region) {
			return p
		}
	}
	return all[0]
}

// Known reports whether there is a partition of that name.
func Known(name string) bool {
	return slices.ContainsFunc(Partitions(), func(p Partition) bool { return p.Name == name })
}
