package standin

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// xmlns is the name space of every answer of SNS.
const xmlns = "http://sns.amazonaws.com/doc/2010-03-31/"

// requestID is in every answer. No code of ours reads it.
const requestID = "00000000-0000-4000-8000-00000000feed"

// refuse answers with an error for the whole request.
func refuse(w http.ResponseWriter, f Fault) {
	if f.Status == 0 {
		f.Status = http.StatusBadRequest
	}
	kind := "Sender"
	if f.Status >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<ErrorResponse xmlns="%s"><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>`,
		xmlns, kind, text(f.Code), text(f.Text), requestID)
	w.Header().Set("Content-Type", "text/xml")
	if f.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.After/time.Second)))
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write(b.Bytes()) // fails if the client has gone
}

// reply answers an executed request, entry by entry.
func reply(w http.ResponseWriter, action string, entries []*entry) {
	if action == "Publish" && entries[0].fault.Code != "" {
		refuse(w, entries[0].fault)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	_, _ = w.Write(render(action, entries)) // fails if the client has gone
}

func render(action string, entries []*entry) []byte {
	var failed, done, b bytes.Buffer
	for _, e := range entries {
		if e.fault.Code == "" {
			fmt.Fprintf(&done, `<member><MessageId>%s</MessageId><Id>%s</Id></member>`, e.ID, text(e.batchID))
			continue
		}
		fmt.Fprintf(&failed, `<member><Id>%s</Id><Code>%s</Code><Message>%s</Message><SenderFault>%t</SenderFault></member>`,
			text(e.batchID), text(e.fault.Code), text(e.fault.Text), e.fault.Status < http.StatusInternalServerError)
	}
	result := fmt.Sprintf(`<Failed>%s</Failed><Successful>%s</Successful>`, failed.String(), done.String())
	if action == "Publish" {
		result = fmt.Sprintf(`<MessageId>%s</MessageId>`, entries[0].ID)
	}
	fmt.Fprintf(&b, `<%[1]sResponse xmlns="%[2]s"><%[1]sResult>%[3]s</%[1]sResult><ResponseMetadata><RequestId>%[4]s</RequestId></ResponseMetadata></%[1]sResponse>`,
		action, xmlns, result, requestID)
	return b.Bytes()
}

// text returns s escaped for XML.
func text(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // into memory: cannot fail
	return b.String()
}
