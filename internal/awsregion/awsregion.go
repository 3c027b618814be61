// Package awsregion has the partitions of AWS: which regions belong to a partition, and the domain of its endpoints.
//
// The table is a copy of the table in the AWS SDK for Go (package awsrulesfn, which only the SDK can import). A test
// compares the two tables. If an update of the SDK has a new partition, the test fails until this table has it too.
package awsregion

import (
	"regexp"
	"slices"
)

// Partition is one of the separate clouds of AWS. An access key of one partition is not valid in another.
type Partition struct {
	Name    string // second part of every ARN, as in aws-cn
	Domain  string // end of the endpoints: sns.REGION.Domain
	regions string // regular expression for the names of the partition's regions
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

// Of returns the partition of a region. If no expression matches, it returns "aws", as the SDK does: AWS may add
// regions with names that no expression matches yet.
func Of(region string) Partition {
	all := Partitions()
	for _, p := range all {
		if regexp.MustCompile(p.regions).MatchString(region) {
			return p
		}
	}
	return all[0]
}

// Known reports whether there is a partition with that name.
func Known(name string) bool {
	return slices.ContainsFunc(Partitions(), func(p Partition) bool { return p.Name == name })
}
