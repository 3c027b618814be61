package poll

import (
	"fmt"

	"noi-agent/configs"
	"noi-agent/objects"
)

// finding is the result of the comparison of a slave with the configuration.
type finding int

const (
	findingFits     finding = iota // it may be sampled
	findingUnlisted                // no family has its product code: sampled as configured, with a warning
	findingOther                   // its product code belongs to another family: not sampled
	findingUnknown                 // `model: auto`, and its family is not known: not sampled
	findingNothing                 // `model: auto`, and it has none of the listed objects: not sampled
)

// judgement is the family as which a slave is sampled, or the reason why it is not sampled.
type judgement struct {
	finding finding
	family  *objects.Family // nil when it is not sampled
	why     string          // for people; "" when it fits
}

// barred reports whether the slave must not be sampled.
func (j judgement) barred() bool { return j.finding > findingUnlisted }

// judge compares the product code that a slave reports with the configuration. With model_check: ignore, or if the
// slave reports no product code, the configuration counts. A family may share codes with another one.
func judge(cfg *configs.Slave, catalog *objects.Catalog, code string) judgement {
	family, named := cfg.Family(catalog)
	if !named {
		return judgeAuto(cfg, catalog, code)
	}
	if code == "" || cfg.ModelCheck == configs.ModelIgnore {
		return judgement{family: family}
	}
	fits, other := catalog.Fits(family, code)
	switch {
	case other != nil && !fits:
		return judgement{finding: findingOther,
			why: fmt.Sprintf("the controller says %s (%s), the configuration says %s", code, other.Slug, family.Slug)}
	case !fits && family.CodeObject == "": // otherwise the code comes from registers, and can be any text
		return judgement{findingUnlisted, family,
			fmt.Sprintf("the controller says %s, which is no product code of %s or any other family", code,
				family.Slug)}
	}
	return judgement{family: family}
}

// judgeAuto finds the family of a `model: auto` slave.
func judgeAuto(cfg *configs.Slave, catalog *objects.Catalog, code string) judgement {
	family, ok := catalog.ByProductCode(code)
	switch {
	case code == "":
		return judgement{finding: findingUnknown, why: errUntold.Error()}
	case !ok:
		return judgement{finding: findingUnknown,
			why: fmt.Sprintf("no family fits product code %q: name the model in the configuration", code)}
	case len(cfg.Polled(family)) == 0:
		return judgement{finding: findingNothing,
			why: fmt.Sprintf("the controller says %s (%s), which has none of the objects that the configuration lists "+
				"for it", code, family.Slug)}
	}
	return judgement{family: family}
}

// Mismatch returns a text if the product code of a slave is of another family than the configured one; "" if it is not,
// or if the product code proves nothing.
func Mismatch(cfg *configs.Slave, catalog *objects.Catalog, code string) string {
	if j := judge(cfg, catalog, code); j.finding == findingOther {
		return j.why
	}
	return ""
}
