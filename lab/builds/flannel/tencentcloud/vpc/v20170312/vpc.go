// Package v20170312 has the calls of the SDK by which Flannel writes routes. Each returns an error.
package v20170312

import "errors"

var errAbsent = errors.New("the lab's Flannel has no backend for Tencent's cloud")

type Filter struct {
	Name   *string
	Values []*string
}

type Route struct {
	RouteId              *uint64
	DestinationCidrBlock *string
	GatewayType          *string
	GatewayId            *string
	RouteType            *string
	Enabled              *bool
}

type RouteTable struct {
	RouteTableId *string
	RouteSet     []*Route
}

type DescribeRouteTablesRequest struct{ Filters []*Filter }

type RouteTables struct{ RouteTableSet []*RouteTable }

type DescribeRouteTablesResponse struct{ Response *RouteTables }

type ChangeRoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

type Client struct{}

func NewClientWithSecretId(string, string, string) (*Client, error) { return &Client{}, nil }

func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}

func NewCreateRoutesRequest() *ChangeRoutesRequest { return &ChangeRoutesRequest{} }

func NewDeleteRoutesRequest() *ChangeRoutesRequest { return &ChangeRoutesRequest{} }

func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errAbsent
}

func (*Client) CreateRoutes(*ChangeRoutesRequest) (any, error) { return nil, errAbsent }

func (*Client) DeleteRoutes(*ChangeRoutesRequest) (any, error) { return nil, errAbsent }
