// Package errors has the error of the SDK.
package errors

type TencentCloudSDKError struct{}

func (*TencentCloudSDKError) Error() string { return "" }
