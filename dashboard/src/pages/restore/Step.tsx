export const Step = ({ number }: { number: number }) => <span className="step">{number}</span>
