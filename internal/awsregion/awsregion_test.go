package awsregion

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sdkPartition is a partition in the form of the SDK's file.
type sdkPartition struct {
	ID      string                     `json:"id"`
	Regex   string                     `json:"regionRegex"`
	Outputs struct{ DNSSuffix string } `json:"outputs"`
	Regions map[string]any             `json:"regions"`
}

func sdkPartitions(t *testing.T) []sdkPartition {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "internal", "endpoints", "awsrulesfn", "partitions.json"))
	if err != nil {
		t.Fatalf("the SDK has its partitions in another file now: %v", err)
	}
	var file struct{ Partitions []sdkPartition }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Partitions
}

func TestPartitionsAreTheSDKs(t *testing.T) {
	ours, sdk := Partitions(), sdkPartitions(t)
	if len(ours) != len(sdk) || len(sdk) < 8 {
		t.Fatalf("%d partitions, the SDK has %d: bring Partitions up to date", len(ours), len(sdk))
	}
	regions := 0
	for i, p := range sdk {
		if want := (Partition{p.ID, p.Outputs.DNSSuffix, p.Regex}); ours[i] != want {
			t.Errorf("partition %d is %+v, the SDK has %+v", i, ours[i], want)
		}
		for region := range p.Regions {
			regions++
			if got := Of(region).Name; got != p.ID && region != "aws-global" && !strings.HasSuffix(region, "-global") {
				t.Errorf("%s: partition %s, but %s in the SDK", region, got, p.ID)
			}
		}
	}
	if regions < 40 {
		t.Errorf("only %d regions compared", regions)
	}
	if Of("xx-nowhere-1").Name != "aws" || Known("aws-moon") || !Known("aws-iso-f") {
		t.Error("want aws for an unknown region, and no unknown partition")
	}
}
