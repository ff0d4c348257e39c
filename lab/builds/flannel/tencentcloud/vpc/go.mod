// Stands in for a part of the SDK of Tencent's cloud, which flanneld links for a backend that the lab does not use. Not every Go module proxy
// has it.
module github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/vpc

go 1.26.0
